//! The peak resident memory of this process over a period.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Sampling interval if the kernel's peak cannot be reset.
const SAMPLING: Duration = Duration::from_millis(50);

/// Measures from its creation on.
#[derive(Debug)]
pub enum PeakMemory {
    /// The kernel's own peak (`VmHWM`), reset on creation.
    Marked,
    /// Samples, if the peak cannot be reset: peaks between two samples are missed.
    Sampled(Sampler),
}

impl PeakMemory {
    /// Starts measuring.
    pub fn from_now() -> Self {
        // "5" resets the peak resident set size: proc_pid_clear_refs(5).
        if fs::write("/proc/self/clear_refs", "5").is_ok() { Self::Marked } else { Self::Sampled(Sampler::start()) }
    }

    /// The peak so far in 10^6 bytes; `None` without `/proc`.
    #[expect(clippy::cast_precision_loss, reason = "no process has 2^52 kibibytes")]
    pub fn megabytes(&self) -> Option<f64> {
        let kibibytes = match self {
            Self::Marked => status_kib("VmHWM")?,
            Self::Sampled(sampler) => sampler.peak()?,
        };
        Some(kibibytes as f64 * 1_024.0 / 1e6)
    }
}

/// Samples the resident set size until dropped.
#[derive(Debug)]
pub struct Sampler {
    peak_kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Sampler {
    fn start() -> Self {
        let sampler = Self { peak_kib: Arc::default(), stop: Arc::default() };
        let (peak_kib, stop) = (Arc::clone(&sampler.peak_kib), Arc::clone(&sampler.stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                peak_kib.fetch_max(status_kib("VmRSS").unwrap_or(0), Ordering::Relaxed);
                thread::sleep(SAMPLING);
            }
        });
        sampler
    }

    fn peak(&self) -> Option<u64> {
        let now = status_kib("VmRSS")?;
        Some(self.peak_kib.load(Ordering::Relaxed).max(now))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn status_kib(member: &str) -> Option<u64> {
    kib_in(&fs::read_to_string("/proc/self/status").ok()?, member)
}

/// Parses a size from `/proc/<pid>/status`.
fn kib_in(status: &str, member: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(member)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_from_the_kernels_status() {
        let status = "Name:\ttweeter\nVmHWM:\t   12345 kB\nVmRSS:\t      99 kB\n";
        assert_eq!(kib_in(status, "VmHWM"), Some(12_345));
        assert_eq!(kib_in(status, "VmRSS"), Some(99));
        assert_eq!(kib_in(status, "Vm"), None);
    }
}

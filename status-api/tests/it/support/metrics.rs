//! The metrics of one test.

use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use telemetry::names;

/// The metrics recorded on a test's thread, which also handles the test's requests.
pub struct Metrics {
    handle: PrometheusHandle,
    _guard: LocalRecorderGuard<'static>,
}

impl Metrics {
    pub fn of_this_thread() -> Self {
        let recorder: &'static PrometheusRecorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self { handle: recorder.handle(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    /// The value of the series whose line has this prefix; 0 if there is none yet.
    pub fn value(&self, series: &str) -> u64 {
        let text = self.handle.render();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    pub fn passwords_hashed(&self) -> u64 {
        self.value(names::PASSWORDS_HASHED)
    }
}

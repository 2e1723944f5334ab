//! Tables of figures, plain and as Markdown. The first row is the header, the first column names the rows.

/// Markdown, with numbers aligned to the right.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let mut lines: Vec<String> = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    let columns = rows.first().map_or(0, Vec::len).saturating_sub(1);
    lines.insert(1, format!("| --- |{}\n", " ---: |".repeat(columns)));
    lines.concat()
}

/// Columns aligned with spaces, without Markdown's emphasis.
pub fn plain(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.replace("**", "")).collect()).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).skip(1).map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{:<2$}{}\n", row[0], cells.collect::<String>(), widths[0])
    };
    rows.iter().map(line).collect()
}

/// Formats a count: whole from 100 on, with one decimal below.
pub fn number(count: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, far below 2^64")]
    if count >= 100.0 || count.fract() == 0.0 { thousands(count.round() as u64) } else { format!("{count:.1}") }
}

/// Groups digits by thousands.
///
/// # Panics
/// Never: digits are ASCII.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits are ASCII")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_in_thousands() {
        assert_eq!([1_000_001.0, 10_000.4, 100.0, 10.5, 3.0].map(number), ["1,000,001", "10,000", "100", "10.5", "3"]);
    }

    #[test]
    fn cells_are_aligned_or_separated() {
        let rows = [vec![String::new(), "posts".into()], vec!["**total**".into(), "12".into()]];
        assert_eq!(plain(&rows), "       posts\ntotal     12\n");
        assert_eq!(markdown(&rows), "|  | posts |\n| --- | ---: |\n| **total** | 12 |\n");
    }
}

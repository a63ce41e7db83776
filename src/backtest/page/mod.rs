//! The report as a page.

use crate::backtest::BacktestReport;

/// Returns the report as a page.
pub fn report_page(_report: &BacktestReport, _input: &str) -> String {
    String::new()
}

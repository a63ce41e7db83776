//! The report in JSON. docs/backtest.md describes the shape.

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::backtest::figures::{DayFigures, Example, PerFlip, Total};
use crate::backtest::most_affected::{AffectedCustomer, FlipTotal};
use crate::backtest::numbers::decimal;
use crate::backtest::report::{BacktestReport, CandidateReport, FlipReport, LimitsReport};
use crate::domain::{Cents, Day};
use crate::wire::limits_json;

/// Version of the shape. It grows when a field changes its meaning or goes; new fields may come in any version.
const VERSION: u8 = 1;

/// Returns the report in JSON, on one line, with its line feed.
///
/// # Errors
/// An error of the serialiser. No report causes one.
pub fn report_json(report: &BacktestReport) -> Result<String, serde_json::Error> {
    let view = ReportView {
        version: VERSION,
        currency: report.currency.code(),
        decided: report.decided,
        ignored: report.ignored,
        invalid: report.invalid,
        base: BaseView { decisions: LimitsView::new(&report.base)?, by_day: days(&report.base, DayView::of_base) },
        candidates: report.candidates.iter().map(CandidateView::new).collect::<Result<_, _>>()?,
    };
    Ok(serde_json::to_string(&view)? + "\n")
}

#[derive(Serialize)]
struct ReportView<'r> {
    version: u8,
    currency: &'r str,
    decided: u64,
    ignored: u64,
    invalid: u64,
    base: BaseView<'r>,
    candidates: Vec<CandidateView<'r>>,
}

#[derive(Serialize)]
struct BaseView<'r> {
    #[serde(flatten)]
    decisions: LimitsView<'r>,
    by_day: DaysView,
}

#[derive(Serialize)]
struct CandidateView<'r> {
    #[serde(flatten)]
    decisions: LimitsView<'r>,
    flips: PerFlip<FlipView<'r>>,
    flipped_customers: u64,
    most_affected_customers: Vec<AffectedView<'r>>,
    by_day: DaysView,
}

#[derive(Serialize)]
struct LimitsView<'r> {
    name: &'r str,
    limits: Box<RawValue>,
    accepted: TotalView,
    declined: TotalView,
    declined_by_reason: Vec<ReasonView<'r>>,
}

#[derive(Serialize)]
struct TotalView {
    count: u64,
    amount: String,
}

#[derive(Serialize)]
struct ReasonView<'r> {
    code: &'r str,
    #[serde(flatten)]
    declined: TotalView,
}

#[derive(Serialize)]
struct FlipView<'r> {
    #[serde(flatten)]
    total: TotalView,
    customers: u64,
    examples: Vec<ExampleView<'r>>,
}

#[derive(Serialize)]
struct ExampleView<'r> {
    line: u64,
    id: &'r str,
    customer_id: &'r str,
    amount: String,
    time: String,
    base_reasons: &'r [String],
    candidate_reasons: &'r [String],
}

#[derive(Serialize)]
struct AffectedView<'r> {
    customer_id: &'r str,
    to_accepted: TotalView,
    to_declined: TotalView,
}

#[derive(Serialize)]
struct DaysView {
    days: Vec<DayView>,
    later: Option<DayView>,
}

#[derive(Serialize)]
struct DayView {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    accepted: TotalView,
    declined: TotalView,
    #[serde(skip_serializing_if = "Option::is_none")]
    flips: Option<PerFlip<TotalView>>,
}

impl<T: Serialize> Serialize for PerFlip<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([("to_accepted", &self.to_accepted), ("to_declined", &self.to_declined)])
    }
}

impl<'r> CandidateView<'r> {
    fn new(candidate: &'r CandidateReport) -> Result<CandidateView<'r>, serde_json::Error> {
        let PerFlip { to_accepted, to_declined } = &candidate.flips;
        Ok(CandidateView {
            decisions: LimitsView::new(&candidate.decisions)?,
            flips: PerFlip { to_accepted: FlipView::new(to_accepted), to_declined: FlipView::new(to_declined) },
            flipped_customers: candidate.flipped_customers,
            most_affected_customers: candidate.most_affected.iter().map(AffectedView::new).collect(),
            by_day: days(&candidate.decisions, DayView::of_candidate),
        })
    }
}

impl<'r> LimitsView<'r> {
    fn new(report: &'r LimitsReport) -> Result<LimitsView<'r>, serde_json::Error> {
        let reasons = report.declined_by_reason.iter();
        Ok(LimitsView {
            name: &report.name,
            limits: RawValue::from_string(limits_json(&report.limits))?,
            accepted: report.accepted.into(),
            declined: report.declined.into(),
            declined_by_reason: reasons.map(|(code, total)| ReasonView { code, declined: (*total).into() }).collect(),
        })
    }
}

impl From<Total> for TotalView {
    fn from(Total { count, cents }: Total) -> TotalView {
        TotalView { count, amount: decimal(cents) }
    }
}

impl From<FlipTotal> for TotalView {
    fn from(FlipTotal { count, amount }: FlipTotal) -> TotalView {
        TotalView { count: u64::from(count), amount: cents(amount) }
    }
}

impl<'r> FlipView<'r> {
    fn new(flip: &'r FlipReport) -> FlipView<'r> {
        let examples = flip.examples.iter().map(ExampleView::new).collect();
        FlipView { total: flip.total.into(), customers: flip.customers, examples }
    }
}

impl<'r> ExampleView<'r> {
    fn new(example: &'r Example) -> ExampleView<'r> {
        ExampleView {
            line: example.line,
            id: &example.id,
            customer_id: &example.customer_id,
            amount: cents(example.amount),
            time: example.time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            base_reasons: &example.base_reasons,
            candidate_reasons: &example.candidate_reasons,
        }
    }
}

impl<'r> AffectedView<'r> {
    fn new(customer: &'r AffectedCustomer) -> AffectedView<'r> {
        let PerFlip { to_accepted, to_declined } = customer.flips;
        AffectedView {
            customer_id: &customer.customer_id,
            to_accepted: to_accepted.into(),
            to_declined: to_declined.into(),
        }
    }
}

impl DayView {
    fn of_base(day: Option<Day>, figures: &DayFigures) -> DayView {
        let day = day.map(|day| day.to_string());
        DayView { day, accepted: figures.accepted.into(), declined: figures.declined.into(), flips: None }
    }

    fn of_candidate(day: Option<Day>, figures: &DayFigures) -> DayView {
        DayView { flips: Some(figures.flips.map(TotalView::from)), ..DayView::of_base(day, figures) }
    }
}

fn days(report: &LimitsReport, view: impl Fn(Option<Day>, &DayFigures) -> DayView) -> DaysView {
    DaysView {
        days: report.by_day.iter().map(|(day, figures)| view(Some(day), figures)).collect(),
        later: report.by_day.later().map(|figures| view(None, figures)),
    }
}

fn cents(amount: Cents) -> String {
    decimal(u128::from(amount.get()))
}

//! Plots as SVG. Colours and fonts come from the page's style, so that they follow it into the dark and onto paper.
//!
//! Attributes hold numbers and words of this file alone, because the library does not escape quotes in them.

use svg::Document;
use svg::node::element::{Circle, Description, Line, Polyline, Rectangle, Text, Title};
use svg::node::{Node, Text as Content};

use super::scale::Scale;
use crate::backtest::day_groups::DayGroup;
use crate::backtest::figures::{Flip, Total};
use crate::backtest::numbers::{grouped, short, visible};

const WIDTH: i32 = 640;
const HEIGHT: i32 = 250;
const LEFT: i32 = 70;
const RIGHT: i32 = 12;
const TOP: i32 = 14;
const BOTTOM: i32 = 34;

/// Length of the horizontal axis, and of the vertical one.
const INNER_WIDTH: i32 = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT: i32 = HEIGHT - TOP - BOTTOM;

/// Height of a reason's code, and of one of its two bars.
const CODE_HEIGHT: i32 = 26;
const BAR_HEIGHT: i32 = 22;

/// Length of the longest bar of a reason. Its number stands behind it.
const BAR_WIDTH: i32 = 500;

/// Returns a plot of the amounts that the base and a candidate accept. Both have the same days.
pub(super) fn accepted_amounts(base: &[DayGroup], candidate: &[DayGroup]) -> String {
    let units = |group: &DayGroup| group.figures.accepted.cents / 100;
    let max = base.iter().chain(candidate).map(units).max().unwrap_or_default();
    let scale = Scale::up_to(max, 4);
    let mut plot = document("Accepted amount by day", "One line for the base and one for the candidate.", HEIGHT);
    for tick in scale.ticks() {
        let y = TOP + INNER_HEIGHT - scale.length(tick, INNER_HEIGHT);
        add_tick(&mut plot, y, &short(tick), if tick == 0 { "zero" } else { "grid" });
    }
    for (class, groups) in [("base", base), ("candidate", candidate)] {
        let points: Vec<(i32, i32)> = (0..)
            .zip(groups)
            .map(|(place, group)| {
                (middle(place, groups.len()), TOP + INNER_HEIGHT - scale.length(units(group), INNER_HEIGHT))
            })
            .collect();
        if let [(x, y)] = *points {
            plot.append(Circle::new().set("class", class).set("cx", x).set("cy", y).set("r", 5));
        }
        let points: Vec<String> = points.into_iter().map(|(x, y)| format!("{x},{y}")).collect();
        plot.append(Polyline::new().set("class", class).set("points", points.join(" ")));
    }
    add_days(&mut plot, candidate);
    plot.to_string()
}

/// Returns a plot of a candidate's flips: bars up for those to accepted, and down for those to declined.
pub(super) fn flips(groups: &[DayGroup]) -> String {
    let count = |group: &DayGroup, flip| u128::from(group.figures.flips.get(flip).count);
    let counts = groups.iter().flat_map(|group| Flip::ALL.map(|flip| count(group, flip)));
    let scale = Scale::up_to(counts.max().unwrap_or_default(), 2);
    let (half, zero) = (INNER_HEIGHT / 2, TOP + INNER_HEIGHT / 2);
    let description = "Bars up are flips to accepted, bars down are flips to declined.";
    let mut plot = document("Flips by day", description, HEIGHT);
    for tick in scale.ticks().filter(|tick| *tick > 0) {
        let length = scale.length(tick, half);
        add_tick(&mut plot, zero - length, &short(tick), "grid");
        add_tick(&mut plot, zero + length, &short(tick), "grid");
    }
    let width = (INNER_WIDTH / to_i32(groups.len()).max(1) * 7 / 10).clamp(2, 60);
    for (place, group) in (0..).zip(groups) {
        for flip in Flip::ALL {
            let length = scale.length(count(group, flip), half);
            let (class, y) = match flip {
                Flip::ToAccepted => ("to-accepted", zero - length),
                Flip::ToDeclined => ("to-declined", zero),
            };
            let x = middle(place, groups.len()) - width / 2;
            plot.append(bar(class, x, y, width, length).add(Title::new(days_text(group))));
        }
    }
    add_tick(&mut plot, zero, "0", "zero");
    add_days(&mut plot, groups);
    plot.to_string()
}

/// Returns a plot of declined attempts by reason, each with its number under the base and under a candidate.
pub(super) fn reasons(rows: &[(&str, [Total; 2])]) -> String {
    let max = rows.iter().flat_map(|(_, totals)| totals).map(|total| total.count).max().unwrap_or_default();
    let scale = Scale::ending_at(u128::from(max));
    let row_height = CODE_HEIGHT + 2 * BAR_HEIGHT + 8;
    let description = "Two bars for each reason: the base's above, the candidate's below.";
    let mut plot = document("Declined attempts by reason", description, row_height * to_i32(rows.len()));
    for (place, (code, totals)) in (0..).zip(rows) {
        let top = row_height * place;
        plot.append(Text::new(visible(code)).set("class", "code").set("x", 0).set("y", top + CODE_HEIGHT - 6));
        for ((class, total), y) in ["base", "candidate"].into_iter().zip(totals).zip([0, BAR_HEIGHT]) {
            let (y, length) = (top + CODE_HEIGHT + y, scale.length(u128::from(total.count), BAR_WIDTH));
            plot.append(bar(class, 0, y, length, BAR_HEIGHT - 2));
            let number = Text::new(grouped(u128::from(total.count)));
            plot.append(number.set("x", length + 6).set("y", y + BAR_HEIGHT - 5));
        }
    }
    plot.to_string()
}

fn document(title: &str, description: &str, height: i32) -> Document {
    let document = Document::new().set("viewBox", (0, 0, WIDTH, height)).set("role", "img");
    document.add(Title::new(title)).add(Description::new().add(Content::new(description)))
}

fn bar(class: &str, x: i32, y: i32, width: i32, height: i32) -> Rectangle {
    Rectangle::new().set("class", class).set("x", x).set("y", y).set("width", width).set("height", height)
}

/// Adds a horizontal line with its number.
fn add_tick(plot: &mut Document, y: i32, number: &str, class: &str) {
    let line = Line::new().set("class", class).set("x1", LEFT).set("x2", WIDTH - RIGHT).set("y1", y).set("y2", y);
    plot.append(line);
    plot.append(Text::new(number).set("class", "end").set("x", LEFT - 8).set("y", y + 5));
}

/// Adds the dates of the first group, the last one, and one between them.
fn add_days(plot: &mut Document, groups: &[DayGroup]) {
    let count = groups.len();
    let mut places = vec![(0, ""), (count / 2, "middle"), (count.saturating_sub(1), "end")];
    places.dedup_by_key(|(place, _)| *place);
    if let [(_, class)] = places.as_mut_slice() {
        *class = "middle";
    }
    if count == 2 {
        places = vec![(0, "middle"), (1, "middle")];
    }
    for (place, class) in places {
        let Some(group) = groups.get(place) else { continue };
        let x = match class {
            "" => LEFT,
            "end" => WIDTH - RIGHT,
            _ => middle(to_i32(place), count),
        };
        plot.append(Text::new(group.first.to_string()).set("class", class).set("x", x).set("y", HEIGHT - 8));
    }
}

/// Returns the middle of a group's part of the horizontal axis.
fn middle(place: i32, groups: usize) -> i32 {
    let half_places = place.saturating_mul(2).saturating_add(1);
    LEFT + INNER_WIDTH.saturating_mul(half_places) / to_i32(groups).saturating_mul(2).max(1)
}

fn days_text(group: &DayGroup) -> String {
    let flips = Flip::ALL.map(|flip| {
        let count = group.figures.flips.get(flip).count;
        format!("{} {}", grouped(u128::from(count)), super::words(flip))
    });
    format!("{}: {}", super::days(group), flips.join(", "))
}

fn to_i32(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

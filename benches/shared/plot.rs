//! Plots as SVG.

use std::io::{Error, Result};
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours that remain distinct with any kind of colour vision (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

const SIZE: (u32, u32) = (760, 400);

/// One line of a plot.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Contents of a plot.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    pub(crate) series: Vec<Series>,
}

/// Scale of the y axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Linear, from 0.
    Linear,
    /// Logarithmic, between two powers of ten. All values must be above 0.
    PowersOfTen,
}

/// Writes several plots into one picture, one below another.
pub(crate) fn write_all(plots: &[Plot], scale: Scale, path: &Path) -> Result<()> {
    let draw = || {
        let root = SVGBackend::new(path, (SIZE.0, SIZE.1 * u32::try_from(plots.len())?)).into_drawing_area();
        root.fill(&WHITE)?;
        for (plot, area) in plots.iter().zip(root.split_evenly((plots.len(), 1))) {
            plot.draw(scale, &area)?;
        }
        root.present()?;
        Ok(())
    };
    draw().map_err(|error: Failure| Error::other(format!("{}: {error}", path.display())))
}

type Failure = Box<dyn std::error::Error>;

impl Plot<'_> {
    /// Writes the plot, with both axes from 0. A series with few points has a dot at each point.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_all(std::slice::from_ref(self), Scale::Linear, path)
    }

    fn draw(&self, scale: Scale, root: &DrawingArea<SVGBackend, Shift>) -> std::result::Result<(), Failure> {
        let mut chart = ChartBuilder::on(root)
            .caption(self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d(self.range(|point| point.0), self.heights(scale))?;
        let mut mesh = chart.configure_mesh();
        let is_log = scale == Scale::PowersOfTen;
        let place = |y: f64| if is_log { y.log10() } else { y };
        let label = |y: &f64| if is_log { format!("{}", 10_f64.powf(*y)) } else { format!("{y}") };
        if is_log {
            mesh.y_label_formatter(&label).y_labels(8);
        }
        let round = |x: &f64| format!("{}", (x * 1e3).round() / 1e3);
        mesh.x_label_formatter(&round);
        mesh.x_desc(self.x_label)
            .y_desc(self.y_label)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 13))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(series.points.iter().map(|(x, y)| (*x, place(*y))), colour.stroke_width(2));
            let key = |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2));
            chart.draw_series(line)?.label(&series.name).legend(key);
            if series.points.len() <= 24 {
                let marks = series.points.iter().map(|(x, y)| Circle::new((*x, place(*y)), 3, colour.filled()));
                chart.draw_series(marks)?;
            }
        }
        let mut legend = chart.configure_series_labels();
        // A place that the lines mostly leave free.
        let position = if is_log { SeriesLabelPosition::MiddleRight } else { self.legend() };
        legend.position(position).background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.3));
        legend.label_font(("sans-serif", 13)).draw()?;
        Ok(())
    }

    fn heights(&self, scale: Scale) -> Range<f64> {
        if scale == Scale::Linear {
            return self.range(|point| point.1);
        }
        let logs = || self.series.iter().flat_map(|series| &series.points).map(|point| point.1.log10());
        logs().fold(f64::MAX, f64::min).floor()..logs().fold(f64::MIN, f64::max).ceil()
    }

    /// Returns the range from 0 to slightly above the largest value.
    fn range(&self, coordinate: impl Fn(&(f64, f64)) -> f64) -> Range<f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        0.0..points.map(coordinate).fold(0.0, f64::max) * 1.05
    }

    /// Returns a position above the lines if they begin low, and below them otherwise.
    fn legend(&self) -> SeriesLabelPosition {
        let top = self.range(|point| point.1).end;
        let first = |series: &Series| series.points.first().is_some_and(|point| point.1 > top / 2.0);
        if self.series.iter().any(first) { SeriesLabelPosition::LowerLeft } else { SeriesLabelPosition::UpperLeft }
    }
}

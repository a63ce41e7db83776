//! Plots as SVG.

use std::io::{Error, Result};
use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;

/// Colours that can be told apart by everybody (Okabe and Ito).
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

/// What a plot shows.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    pub(crate) series: Vec<Series>,
}

impl Plot<'_> {
    /// Writes the plot, with both axes from 0 and a mark at each point where there are few of them.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        self.draw(path).map_err(|error| Error::other(format!("{}: {error}", path.display())))
    }

    fn draw(&self, path: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d(self.range(|point| point.0), self.range(|point| point.1))?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.x_label)
            .y_desc(self.y_label)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 13))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2));
            let key = |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2));
            chart.draw_series(line)?.label(&series.name).legend(key);
            if series.points.len() <= 24 {
                chart.draw_series(series.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
            }
        }
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.3));
        legend.label_font(("sans-serif", 13)).draw()?;
        root.present()?;
        Ok(())
    }

    /// From 0 to a little more than the largest.
    fn range(&self, coordinate: impl Fn(&(f64, f64)) -> f64) -> Range<f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        0.0..points.map(coordinate).fold(0.0, f64::max) * 1.05
    }
}

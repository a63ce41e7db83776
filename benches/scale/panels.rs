//! Two plots over the same time, one above the other: messages in the queue, and latencies.

use std::io::Result;

use crate::shared::page::folder;
use crate::shared::plot::{Plot, Scale, Series, write_all};

/// Titles of the two plots, and the file that they go to.
pub(crate) struct Panels<'a> {
    pub(crate) x_label: &'a str,
    pub(crate) depth: &'a str,
    pub(crate) latency: &'a str,
    pub(crate) file: &'a str,
}

impl Panels<'_> {
    /// Writes the plot of messages in the queue, with the plot of latencies in seconds below it.
    pub(crate) fn write(&self, depths: Vec<Series>, latencies: Vec<Series>) -> Result<()> {
        let Panels { x_label, depth, latency, file } = *self;
        let depth = Plot { title: depth, x_label, y_label: "messages", series: depths };
        let latency = Plot { title: latency, x_label, y_label: "seconds", series: latencies };
        write_all(&[depth, latency], Scale::PowersOfTen, &folder()?.join(file))
    }
}

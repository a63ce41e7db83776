//! How the queue and the latencies go, one above the other.

use std::io::Result;

use crate::shared::page::folder;
use crate::shared::plot::{Plot, Scale, Series, write_all};

/// What two plots over the same time are called, and where they go.
pub(crate) struct Panels<'a> {
    pub(crate) x_label: &'a str,
    pub(crate) depth: &'a str,
    pub(crate) latency: &'a str,
    pub(crate) file: &'a str,
}

impl Panels<'_> {
    /// Writes messages in the queue, and seconds beneath.
    pub(crate) fn write(&self, depths: Vec<Series>, latencies: Vec<Series>) -> Result<()> {
        let Panels { x_label, depth, latency, file } = *self;
        let depth = Plot { title: depth, x_label, y_label: "messages", series: depths };
        let latency = Plot { title: latency, x_label, y_label: "seconds", series: latencies };
        write_all(&[depth, latency], Scale::PowersOfTen, &folder()?.join(file))
    }
}

//! Tables that scroll sideways where they are wider than the page.

use maud::{Markup, html};

/// Head of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    /// Of texts, which begin at the left.
    Text(&'static str),
    /// Of numbers, which end at the right.
    Number(&'static str),
}

/// Returns a table. The rows are `tr` elements, each with a cell for each head.
pub(super) fn of(caption: &str, heads: &[Head], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { span { (caption) } }
                thead {
                    tr {
                        @for head in heads {
                            @match head {
                                Head::Text(name) => th.text scope="col" { (name) },
                                Head::Number(name) => th scope="col" { (name) },
                            }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

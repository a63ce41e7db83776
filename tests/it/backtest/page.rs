//! The page: complete in itself, without scripts, and safe with any text of the input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgate::backtest::report_page;
use regex::Regex;
use sha2::{Digest, Sha256};

use super::backtest;
use crate::support::line;

const BASE: &str = include_str!("../../../limits.toml");

/// Texts that end an element, an attribute or a comment, begin a script, or change how the text around them is read.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "</style></title></svg><script>alert(1)</script>",
    "<!--",
    "&lt;b&gt;",
    "]]>",
    "\u{202e}\u{1b}[2J\u{0}",
];

fn page() -> String {
    let lines = HOSTILE.iter().enumerate().map(|(place, text)| {
        line(text, &format!("{text}{place}"), "$6000.00", "2019-01-01T00:00:00Z")
            + &line(&format!("{text}2"), &format!("{text}{place}"), "$4000.00", "2019-01-02T00:00:00Z")
    });
    let higher = BASE.replace("\"5000.00\"", "\"7000.00\"");
    let lower = BASE.replace("\"5000.00\"", "\"3000.00\"");
    let names = HOSTILE.into_iter().take(7);
    let candidates: Vec<(&str, &str)> = names.zip([higher.as_str(), &lower].into_iter().cycle()).collect();
    let report = backtest(&lines.collect::<String>(), BASE, &candidates, 2);
    report_page(&report, HOSTILE[0])
}

#[test]
fn texts_of_the_input_stay_texts() {
    let page = page();
    let elements = Regex::new(r"<([a-zA-Z!?/][^>]*)>").unwrap();
    let allowed = Regex::new(concat!(
        r"^(?:!DOCTYPE html|/[a-z0-9]+|",
        r"(?:html|head|title|style|body|header|main|section|h1|h2|h3|p|span|a|div|table|caption|thead|tbody|tr|th|td|figure|",
        r"figcaption|i|meta|svg|desc|line|polyline|rect|circle|text)",
        r#"(?: [a-zA-Z0-9-]+="[^"<]*")*/?)$"#
    ))
    .unwrap();
    for element in elements.captures_iter(&page) {
        assert!(allowed.is_match(&element[1]), "the page has <{}>", &element[1]);
    }
    for attribute in [" on", "href=\"http", "src=", "url(", "javascript:", "@import", "style=\""] {
        let found = elements.captures_iter(&page).find(|element| element[1].contains(attribute));
        assert!(found.is_none(), "an element has {attribute}");
    }
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<!--"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&amp;lt;b&amp;gt;"));
    assert!(!page.contains(['\u{202e}', '\u{1b}', '\u{0}']) && page.contains("\\u{202e}\\u{1b}[2J\\u{0}"));
}

#[test]
fn the_policy_allows_the_pages_own_style_and_nothing_else() {
    let page = page();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let hash = STANDARD.encode(Sha256::digest(style));
    let expected = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert_eq!(policy, expected);
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('<'));
    // The policy must come before what it governs.
    assert!(page.find("Content-Security-Policy") < page.find("<style>"));
    assert_eq!(page.matches("<style").count(), 1);
}

#[test]
fn tables_and_plots_describe_themselves() {
    let page = page();
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    let heads = Regex::new(r#"<th(?: class="[a-z ]+")? scope="(?:col|row)">"#).unwrap();
    assert_eq!(page.matches("<th ").count() + page.matches("<th>").count(), heads.find_iter(&page).count());
    // Three plots for each candidate.
    assert_eq!(page.matches("<svg").count(), 3 * 7);
    let described = Regex::new(r#"<svg [^>]*role="img"[^>]*>\s*<title>[^<]+</title>\s*<desc>[^<]+</desc>"#).unwrap();
    assert_eq!(described.find_iter(&page).count(), 3 * 7);
}

#[test]
fn colours_come_from_the_style_alone() {
    let page = page();
    let body = page.split("</style>").nth(1).unwrap();
    assert!(
        !body.contains("fill=") && !body.contains("stroke=") && !Regex::new("#[0-9a-f]{6}").unwrap().is_match(body)
    );
    for needed in ["prefers-color-scheme: dark", "@media print", "color-scheme: light dark", "max-width: 30rem"] {
        assert!(page.contains(needed), "the style has no {needed}");
    }
}

#[test]
fn an_empty_report_has_a_page() {
    let page = report_page(&backtest("", BASE, &[("same", BASE)], 1), "empty.jsonl");
    assert!(page.contains("0 attempts decided") && page.ends_with("</html>"));
}

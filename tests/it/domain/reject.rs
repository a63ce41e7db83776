//! Rejects: each keeps every byte of its invalid line, regardless of the pieces in which the line arrives.

use crate::support::lines::raw;
use loadgate::domain::LoadError;
use loadgate::wire::RejectWriter;
use proptest::prelude::*;
use serde_json::Value;

fn written(pieces: &[&[u8]]) -> String {
    let mut out = Vec::new();
    let mut rejects = RejectWriter::new(&mut out);
    rejects.begin(7, &LoadError::TooLong).unwrap();
    for piece in pieces {
        rejects.push(piece).unwrap();
    }
    rejects.end().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn text_is_kept_as_text() {
    let reject = written(&[b"caf\xc3\xa9 \"\\\x01"]);
    let expected = r#"{"line":7,"code":"TOO_LONG","message":"the input is longer than 262144 bytes, the most that an attempt may have","raw":"café \"\\\u0001"}"#;
    assert_eq!(reject, format!("{expected}\n"));
}

#[test]
fn bytes_from_the_first_that_is_not_utf8_are_kept_in_base64() {
    let reject: Value = serde_json::from_str(&written(&[b"good \xff bad"])).unwrap();
    assert_eq!((reject["raw"].as_str(), reject["raw_rest_base64"].as_str()), (Some("good "), Some("/yBiYWQ=")));
}

proptest! {
    #[test]
    fn every_byte_is_kept_however_the_line_is_split(
        pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            r"\PC{0,6}".prop_map(String::into_bytes),
        ], 0..8),
    ) {
        let whole = pieces.concat();
        let reject = written(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(raw(&serde_json::from_str(&reject).unwrap()), whole.clone());
        prop_assert_eq!(reject, written(&[&whole]));
    }
}

//! The replay engine: it agrees with the naive oracle, keeps the order with any number of threads, and stays within
//! its bounds.

use std::io::{self, Read, Write};

use loadgate::domain::{Currency, Limit, Limits, Measure, Window, Zone};
use loadgate::replay::{Replay, ReplayError, ReplayObserver, ReplayOutput};
use loadgate::wire::Reasons;
use proptest::prelude::*;

use crate::support::{Replayed, Settings, Shared, line, lines, oracle, replay};

/// Generates attempts that affect one another: few customers, few ids, three weeks around a year end in any order,
/// and amounts near the limits.
fn attempts() -> impl Strategy<Value = String> {
    let amount =
        prop_oneof![Just(0_u64), Just(1), Just(499_999), Just(500_000), Just(500_001), Just(250_000), 0..600_000_u64,];
    let hour = (0..21_u32 * 24).prop_map(|hour| {
        let time = oracle::instant("2018-12-24T00:00:00Z").unwrap() + chrono::TimeDelta::hours(i64::from(hour));
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    });
    let attempt = (0..40_u32, 0..3_u32, amount, hour).prop_map(|(id, customer, cents, time)| {
        line(&id.to_string(), &format!("c{customer}"), &format!("${}.{:02}", cents / 100, cents % 100), &time)
    });
    let other = prop_oneof![Just("\n".to_owned()), Just("  \r\n".to_owned()), Just("oops\n".to_owned())];
    prop::collection::vec(prop_oneof![19 => attempt, 1 => other], 0..150).prop_map(|lines| lines.concat())
}

fn limits() -> impl Strategy<Value = Vec<oracle::Limit>> {
    let limit = (any::<bool>(), any::<bool>(), 0..20_u64);
    prop::collection::vec(limit, 1..5).prop_map(|limits| {
        let named = limits.into_iter().enumerate();
        let limit = |(place, (is_amount, is_weekly, max)): (usize, (bool, bool, u64))| {
            let max = if is_amount { max * 100_000 } else { max };
            oracle::Limit { code: format!("L{place}"), is_amount, is_weekly, max }
        };
        named.map(limit).collect()
    })
}

fn in_domain(limits: &[oracle::Limit]) -> Limits {
    let limit = |limit: &oracle::Limit| Limit {
        code: limit.code.clone(),
        measure: if limit.is_amount { Measure::Amount } else { Measure::Count },
        window: if limit.is_weekly { Window::Week(Zone::UTC) } else { Window::Day(Zone::UTC) },
        max: limit.max,
    };
    Limits::new(limits.iter().map(limit).collect()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decisions_agree_with_the_oracle(input in attempts(), limits in prop_oneof![Just(oracle::default_limits()), limits()]) {
        let (expected, invalid) = oracle::replay(input.as_bytes(), &limits, true);
        for threads in [1, 2, 8] {
            let settings = Settings { limits: in_domain(&limits), reasons: Reasons::Named, threads };
            let Replayed { decisions, reported, ended, .. } = replay(Trickle::new(&input, 1_000), settings);
            prop_assert_eq!(&decisions, &expected);
            let reported: Vec<_> = reported.into_iter().map(|(line, code)| (usize::try_from(line).unwrap(), code)).collect();
            prop_assert_eq!(&reported, &invalid);
            let tally = ended.unwrap().tally;
            prop_assert_eq!(tally.accepted + tally.declined, expected.lines().count() as u64);
            prop_assert_eq!(tally.invalid, invalid.len() as u64);
        }
    }
}

/// A reader that returns at most `most` bytes at once.
struct Trickle<'t> {
    left: &'t [u8],
    most: usize,
}

impl<'t> Trickle<'t> {
    fn new(text: &'t str, most: usize) -> Trickle<'t> {
        Trickle { left: text.as_bytes(), most }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.left.read(&mut buffer[..most])
    }
}

fn workload(attempts: u32) -> String {
    let time = |n: u32| format!("2019-01-{:02}T00:00:00Z", 1 + n * 28 / attempts);
    (0..attempts).map(|n| line(&(n % 7_000).to_string(), &(n % 97).to_string(), "$1700.00", &time(n))).collect()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let input = workload(20_000);
    let one = replay(input.as_bytes(), Settings { threads: 1, ..Settings::default() });
    assert!(one.decisions.lines().count() > 5_000);
    for threads in [2, 3, 8, 64] {
        let many = replay(input.as_bytes(), Settings { threads, ..Settings::default() });
        assert!(many.decisions == one.decisions, "{threads} threads wrote other bytes than one");
    }
}

#[test]
fn any_size_of_reads_writes_the_same_bytes() {
    let input = format!("\u{feff}{}no line end", workload(300).replace('\n', "\r\n"));
    let whole = replay(input.as_bytes(), Settings::default());
    assert_eq!(whole.reported, [(301, "NOT_JSON")]);
    for most in [1, 2, 3, 7, 100, 4_096] {
        let trickled = replay(Trickle::new(&input, most), Settings::default());
        assert_eq!((&trickled.decisions, &trickled.rejects), (&whole.decisions, &whole.rejects), "reads of {most}");
    }
}

#[test]
fn a_decision_is_written_before_more_input_arrives() {
    let (mut sender, receiver) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
    let (decisions, mut written) = io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let settings = Settings::default();
            let replay = Replay {
                limits: settings.limits.into(),
                currency: Currency::USD,
                reasons: settings.reasons,
                threads: std::num::NonZeroUsize::new(4).unwrap(),
                identity_key: [0; 16],
            };
            replay.run(receiver, ReplayOutput::new(decisions, None, NoObserver)).unwrap();
        });
        for id in ["1", "2", "3"] {
            let attempt = line(id, "7", "$1.00", "2000-01-01T00:00:00Z");
            sender.write_all(attempt.as_bytes()).unwrap();
            let expected = format!("{{\"id\":\"{id}\",\"customer_id\":\"7\",\"accepted\":true}}\n");
            let mut decision = vec![0; expected.len()];
            written.read_exact(&mut decision).unwrap();
            assert_eq!(decision, expected.as_bytes());
        }
        drop(sender);
    });
}

struct NoObserver;

impl ReplayObserver for NoObserver {
    fn invalid(&mut self, _line: u64, _error: &loadgate::domain::LoadError) {}
    fn progressed(&mut self, _tally: &loadgate::replay::Tally) {}
}

#[test]
fn ids_are_unique_for_each_customer_only() {
    // Each split of the text into customer and event is another event.
    let text = "7".repeat(100);
    let parted = (1..100).map(|at| line(&text[at..], &text[..at], "$1", "2000-01-01T00:00:00Z"));
    let input: String = parted.collect();
    assert_eq!(replay(input.as_bytes(), Settings::default()).decisions.lines().count(), 99);
}

#[test]
fn ids_are_written_as_they_were_read() {
    let ids = ["\\", "\"", "\n\u{0}\u{1f}", "ü😀\u{7f}\u{2028}", "</script>", " ", "{\"id\":1}"];
    let input: String = ids.iter().map(|id| line(id, id, "$1", "2000-01-01T00:00:00Z")).collect();
    let decisions = replay(input.as_bytes(), Settings::default()).decisions;
    let written = decisions.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let written: Vec<_> = written.map(|line| (line["id"].clone(), line["customer_id"].clone())).collect();
    assert_eq!(written, ids.map(|id| (id.into(), id.into())));
}

#[test]
fn an_invalid_attempt_does_not_use_up_its_id() {
    let time = "2000-01-01T00:00:00Z";
    let input = [line("1", "7", "$1.001", time), line("1", "7", "$1.00", time), line("1", "7", "$2.00", time)].concat();
    let replayed = replay(input.as_bytes(), Settings::default());
    assert_eq!(replayed.decisions, "{\"id\":\"1\",\"customer_id\":\"7\",\"accepted\":true}\n");
    let tally = replayed.ended.unwrap().tally;
    assert_eq!((tally.accepted, tally.ignored, tally.invalid), (1, 1, 1));
}

/// Covers lines around the maximum length of an attempt, lines that do and do not fit in memory at once, and both
/// line ends.
#[test]
fn overlong_lines_are_rejected_whole_and_the_next_line_is_decided() {
    let attempt = line("1", "7", "$1.00", "2000-01-01T00:00:00Z");
    for length in [262_144, 262_145, 262_146, 262_147, 262_149, 300_000, 600_000, 1_000_000] {
        for end in ["\n", "\r\n"] {
            for most in [64 * 1024, 1_000_000_000, 262_145] {
                let overlong = format!("{}ü\r", "x".repeat(length - 3));
                let input = format!("{overlong}{end}{attempt}");
                let replayed = replay(Trickle::new(&input, most), Settings::default());
                assert_eq!(replayed.decisions.lines().count(), 1, "{length} {end:?} {most}");
                // One carriage return is part of the line end, even if it was meant as content.
                let line = if end == "\n" { overlong.trim_end() } else { &overlong };
                let expected = if line.len() > 262_144 { "TOO_LONG" } else { "NOT_JSON" };
                assert_eq!(replayed.reported, [(1, expected)], "{length} {end:?} {most}");
                let kept = lines::raw(&serde_json::from_slice(&replayed.rejects).unwrap());
                assert!(kept == line.as_bytes(), "{length} {end:?} {most}: the line is not kept whole");
            }
        }
    }
}

/// A reader that returns one piece at each read.
struct Pieces(Vec<Vec<u8>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = if self.0.is_empty() { Vec::new() } else { self.0.remove(0) };
        piece.as_slice().read(buffer)
    }
}

#[test]
fn a_line_end_split_across_two_reads_is_not_part_of_the_line() {
    let attempt = line("1", "7", "$1.00", "2000-01-01T00:00:00Z").into_bytes();
    for parts in
        [[vec![b'x'; 200_000], b"xx\r".to_vec()], [vec![b'x'; 2], b"\r".to_vec()], [b"\r".to_vec(), b"\r".to_vec()]]
    {
        let [first, second] = parts;
        let pieces = vec![vec![b'x'; 200_000], first, second, b"\n".to_vec(), attempt.clone()];
        let line = pieces[..3].concat();
        let replayed = replay(Pieces(pieces), Settings::default());
        assert_eq!(replayed.decisions.lines().count(), 1);
        let kept = lines::raw(&serde_json::from_slice(&replayed.rejects).unwrap());
        assert!(kept == line[..line.len() - 1], "{} bytes of {} were kept", kept.len(), line.len());
    }
}

#[test]
fn white_space_up_to_the_maximum_line_length_is_blank() {
    for (length, expected) in [(262_144, &[][..]), (262_145, &[(1, "TOO_LONG")]), (700_000, &[(1, "TOO_LONG")])] {
        for most in [1_000, 262_145, 1_000_000_000] {
            let input = format!("{}\n", " ".repeat(length));
            assert_eq!(replay(Trickle::new(&input, most), Settings::default()).reported, expected, "{length} {most}");
        }
    }
}

/// A reader that fails after its bytes.
struct Failing<'t>(&'t [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is on fire")),
            read => Ok(read),
        }
    }
}

#[test]
fn whole_lines_before_a_read_error_are_decided() {
    let input = format!("{}{{\"half", workload(1_000));
    for threads in [1, 8] {
        let settings = || Settings { threads, ..Settings::default() };
        let failed = replay(Failing(input.as_bytes()), settings());
        assert!(matches!(failed.ended, Err(ReplayError::Read { lines: 1_000, .. })), "{:?}", failed.ended);
        assert_eq!(failed.decisions, replay(workload(1_000).as_bytes(), settings()).decisions);
    }
}

/// A reader that panics after its bytes.
struct Panicking<'t>(&'t [u8]);

impl Read for Panicking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!self.0.is_empty(), "a bug");
        self.0.read(buffer)
    }
}

#[test]
fn a_panic_in_one_thread_ends_the_others() {
    let input = workload(20_000);
    let ended = std::panic::catch_unwind(|| {
        replay(Panicking(input.as_bytes()), Settings { threads: 8, ..Settings::default() })
    });
    assert!(ended.is_err());
}

#[test]
fn many_tiny_lines_keep_their_numbers() {
    let attempt = line("1", "7", "$1.00", "2000-01-01T00:00:00Z");
    let input = format!("{}{attempt}{}", "x\n".repeat(30_000), "\ny\n".repeat(10_000));
    let replayed = replay(input.as_bytes(), Settings::default());
    assert_eq!(replayed.decisions.lines().count(), 1);
    let numbers: Vec<u64> = replayed.reported.iter().map(|(line, _)| *line).collect();
    let expected = (1..=30_000).chain((30_001..50_001).filter(|line| line % 2 == 1).map(|line| line + 2));
    assert!(numbers.into_iter().eq(expected));
}

/// A writer that fails once. Later writes succeed.
struct FailingOnce {
    out: Shared,
    writes_left: u32,
}

impl Write for FailingOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes_left = self.writes_left.wrapping_sub(1);
        if self.writes_left == 0 { Err(io::Error::other("no space left, for a moment")) } else { self.out.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_is_written_after_a_write_error() {
    let input = workload(40_000);
    let whole = replay(input.as_bytes(), Settings::default()).decisions;
    let settings = Settings::default();
    let replay = Replay {
        limits: settings.limits.into(),
        currency: Currency::USD,
        reasons: settings.reasons,
        threads: std::num::NonZeroUsize::new(8).unwrap(),
        identity_key: [0; 16],
    };
    let out = Shared::default();
    let ended = replay
        .run(input.as_bytes(), ReplayOutput::new(FailingOnce { out: out.clone(), writes_left: 3 }, None, NoObserver));
    assert!(matches!(ended, Err(ReplayError::WriteDecisions(_))), "{ended:?}");
    let written = out.take();
    assert!(!written.is_empty() && whole.as_bytes().starts_with(&written));
}

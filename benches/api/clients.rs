//! Clients that read customers' usage, all at once.

use std::collections::BTreeSet;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::deciding::{Consistency, Decider, FencedLookup, Lookup, Store, UsageKey};
use loadgate::domain::{DAY_MS, Millis, Week, parse_time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{AT, CUSTOMERS};

/// Number of clients at once.
pub(crate) const CLIENTS: usize = 50;

/// Number of reads of each client in a round.
const READS: usize = 50;

/// Time between the reads of a paced client.
const INTERVAL: Duration = Duration::from_millis(100);

/// Number of reads a second of all paced clients.
pub(crate) const PACED_PER_SECOND: usize = CLIENTS * 1000 / INTERVAL.as_millis() as usize;

/// When a client reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Every [`INTERVAL`], whether the answer before came late or not. A time is counted from the moment that the read was
    /// due at, so that a late answer makes those behind it late too.
    Paced,
    /// As soon as it has the answer before.
    FlatOut,
}

impl Pace {
    /// Waits until a read is due. Returns the instant from which its time counts.
    async fn due(self, begun: Instant, client: usize, read: usize) -> Instant {
        if self == Pace::FlatOut {
            return Instant::now();
        }
        // The clients' reads are spread over the interval.
        let offset = INTERVAL * u32::try_from(client).unwrap_or_default() / u32::try_from(CLIENTS).unwrap_or(1);
        let due = begun + offset + INTERVAL * u32::try_from(read).unwrap_or_default();
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

/// Times of the reads of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) per_second: f64,
}

/// Reads usage over HTTP, each client on a connection of its own.
pub(crate) async fn by_http(address: SocketAddr, prefix: &str, pace: Pace) -> Result<Times> {
    let prefix = prefix.to_owned();
    let begun = Instant::now();
    all(|client| {
        let prefix = prefix.clone();
        async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut times, mut buffer) = (Vec::with_capacity(READS), vec![0; 64 * 1024]);
            for read in 0..READS {
                let path = format!("/customers/{prefix}-{}/usage?at={AT}", customer(client, read));
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                let due = pace.due(begun, client, read).await;
                stream.write_all(request.as_bytes()).await?;
                let length = answer(&mut stream, &mut buffer).await?;
                times.push(due.elapsed());
                if !buffer[..length].starts_with(b"HTTP/1.1 200") {
                    return Err(Error::other(String::from_utf8_lossy(&buffer[..length]).into_owned()));
                }
            }
            Ok(times)
        }
    })
    .await
}

/// Reads an answer whole. Returns its length.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        length += read;
        let text = String::from_utf8_lossy(&buffer[..length]);
        if read == 0 {
            return Err(Error::other("no answer"));
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut sizes = head.lines().filter_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if sizes.next() == Some(body.len()) {
            return Ok(length);
        }
    }
}

/// Makes the requests to DynamoDB of the same reads, with one client of the SDK, as `loadgate api` has one.
pub(crate) async fn by_store(decider: &Decider<DynamoDb, SystemClock>, prefix: &str, pace: Pace) -> Result<Times> {
    let (store, prefix) = (decider.store.clone(), prefix.to_owned());
    let at = Millis::of(parse_time(AT).map_err(Error::other)?);
    let week = at.day().week();
    // An anchored week begins on a Thursday, as 1970 did.
    let anchored: BTreeSet<Week> = [at.plus(-7 * DAY_MS).day().week(), week].into();
    let begun = Instant::now();
    all(|client| {
        let (store, prefix, anchored) = (store.clone(), prefix.clone(), anchored.clone());
        async move {
            let mut times = Vec::with_capacity(READS);
            for read in 0..READS {
                let customer_id = format!("{prefix}-{}", customer(client, read));
                let due = pace.due(begun, client, read).await;
                let lookup = Lookup {
                    events: BTreeSet::new(),
                    weeks: [UsageKey { customer_id: customer_id.clone(), week }].into(),
                    settings: [customer_id.clone()].into(),
                    fences: [customer_id.clone()].into(),
                };
                store.read(&lookup, Consistency::Strong).await.map_err(Error::other)?;
                if prefix == "own" {
                    let lookup = FencedLookup { customer_id, weeks: anchored.clone() };
                    store.read_fenced(&lookup).await.map_err(Error::other)?;
                }
                times.push(due.elapsed());
            }
            Ok(times)
        }
    })
    .await
}

fn customer(client: usize, read: usize) -> usize {
    (client * READS + read) % CUSTOMERS
}

/// Runs all clients at once.
async fn all<F>(work: impl Fn(usize) -> F) -> Result<Times>
where
    F: Future<Output = Result<Vec<Duration>>> + Send + 'static,
{
    let begun = Instant::now();
    let mut clients: JoinSet<_> = (0..CLIENTS).map(work).collect();
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client.map_err(Error::other)??);
    }
    let elapsed = begun.elapsed();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Ok(Times { p50: at(0.5), p99: at(0.99), per_second: times.len() as f64 / elapsed.as_secs_f64() })
}

//! A proxy between a program and DynamoDB or SQS. It counts requests, and can lose or delay requests and responses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Fault of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the request is forwarded.
    LoseRequest,
    /// The request is forwarded, but the connection breaks before the response is returned.
    LoseAnswer,
    /// The request is forwarded after a delay.
    Late(Duration),
    /// The response is returned after a delay.
    Delay(Duration),
    /// DynamoDB reports that it has no capacity.
    Throttle,
    /// The response to a `BatchGetItem` or a `BatchWriteItem` lists the keys or items of a customer, or of a run, as unprocessed.
    LeaveOut(&'static str),
}

/// A proxy in front of a local server.
#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Number of requests, by operation.
    counts: BTreeMap<String, u64>,
    /// Faults of the next requests, each with its operation.
    faults: Vec<(&'static str, Fault)>,
    /// Random faults: the generator, and the frequency of each kind of fault in a thousand requests.
    chance: Option<(fastrand::Rng, u32)>,
    /// Number of random faults so far.
    lost: u64,
    /// Requests that hang.
    hang: Option<Hang>,
    /// Number of requests that have hung.
    hung: usize,
}

/// Requests of these operations that contain this customer. They get no response until [`Proxy::let_go`].
#[derive(Clone, Copy)]
struct Hang {
    operations: &'static [&'static str],
    customer: &'static str,
    reaches: Reaches,
}

/// Point at which a request hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaches {
    /// In the proxy: the request does not reach the server.
    Nothing,
    /// Behind the server: the request is processed, but the response is not returned.
    Server,
}

impl Proxy {
    pub async fn before(url: &str) -> Proxy {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy { url: format!("http://{}", listener.local_addr().unwrap()), state: Arc::default() };
        let shared = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, proxy) = (target.clone(), shared.clone());
                tokio::spawn(async move { proxy.serve(client, &target).await });
            }
        });
        proxy
    }

    /// Makes the next `times` requests of an operation fail in this way.
    pub fn fail(&self, operation: &'static str, fault: Fault, times: usize) {
        self.state.lock().unwrap().faults.extend(vec![(operation, fault); times]);
    }

    /// Makes all further requests of these operations hang if they contain this customer.
    pub fn hang(&self, operations: &'static [&'static str], customer: &'static str, reaches: Reaches) {
        self.state.lock().unwrap().hang = Some(Hang { operations, customer, reaches });
    }

    /// Ends all hangs, and returns the number of requests that have hung. A request is forwarded if its client still
    /// waits.
    pub fn let_go(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.hang = None;
        std::mem::take(&mut state.hung)
    }

    /// Returns the number of requests that have hung.
    pub fn hung(&self) -> usize {
        self.state.lock().unwrap().hung
    }

    /// Injects random faults into all further requests: lost requests, lost responses, throttling and delays. Each
    /// kind affects `per_thousand` of a thousand requests.
    pub fn be_lossy(&self, seed: u64, per_thousand: u32) {
        self.state.lock().unwrap().chance = Some((fastrand::Rng::with_seed(seed), per_thousand));
    }

    /// Returns the number of random faults so far.
    pub fn lost(&self) -> u64 {
        self.state.lock().unwrap().lost
    }

    /// Returns the number of requests since the last call, by operation.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.state.lock().unwrap().counts)
    }

    async fn serve(&self, mut client: TcpStream, target: &str) -> Option<()> {
        let mut server = TcpStream::connect(target).await.ok()?;
        loop {
            let request = read_message(&mut client).await?;
            let operation = operation(&request)?;
            let fault = self.note(&operation);
            let hangs = self.hangs(&operation, &request);
            if hangs == Some(Reaches::Nothing) {
                self.wait_while_hanging(&mut client).await?;
            }
            match fault {
                Some(Fault::LoseRequest) => return None,
                Some(Fault::Throttle) => {
                    client.write_all(THROTTLED.as_bytes()).await.ok()?;
                    continue;
                }
                Some(Fault::LeaveOut(customer)) => {
                    let (rest, left_out) = take_out(&request, customer);
                    let answer = if rest["RequestItems"].as_object().unwrap().is_empty() {
                        json!({ "Responses": {} })
                    } else {
                        server.write_all(&with_body(&request, &rest)).await.ok()?;
                        body(&read_message(&mut server).await?)
                    };
                    client.write_all(&left_out_answer(&operation, answer, left_out)).await.ok()?;
                    continue;
                }
                Some(Fault::Late(duration)) => {
                    tokio::time::sleep(duration).await;
                    server.write_all(&request).await.ok()?;
                }
                Some(Fault::LoseAnswer | Fault::Delay(_)) | None => server.write_all(&request).await.ok()?,
            }
            let answer = read_message(&mut server).await?;
            if hangs == Some(Reaches::Server) {
                self.wait_while_hanging(&mut client).await?;
            }
            match fault {
                Some(Fault::LoseAnswer) => return None,
                Some(Fault::Delay(duration)) => tokio::time::sleep(duration).await,
                _ => {}
            }
            client.write_all(&answer).await.ok()?;
        }
    }

    fn hangs(&self, operation: &str, request: &[u8]) -> Option<Reaches> {
        let mut state = self.state.lock().unwrap();
        let Hang { operations, customer, reaches } = state.hang?;
        let hangs = operations.contains(&operation) && find(request, format!("\"{customer}\"").as_bytes()).is_some();
        state.hung += usize::from(hangs);
        hangs.then_some(reaches)
    }

    /// Waits until the hang ends. Returns `None` if the client gives up before.
    async fn wait_while_hanging(&self, client: &mut TcpStream) -> Option<()> {
        let mut byte = [0];
        while self.state.lock().unwrap().hang.is_some() {
            if let Ok(_end) = tokio::time::timeout(Duration::from_millis(5), client.peek(&mut byte)).await {
                return None;
            }
        }
        Some(())
    }

    fn note(&self, operation: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        *state.counts.entry(operation.to_owned()).or_default() += 1;
        if let Some(place) = state.faults.iter().position(|(name, _)| *name == operation) {
            return Some(state.faults.remove(place).1);
        }
        let (rng, per_thousand) = state.chance.as_mut()?;
        let faults = [
            Fault::LoseRequest,
            Fault::LoseAnswer,
            Fault::Throttle,
            Fault::Delay(Duration::from_millis(rng.u64(..400))),
        ];
        let place = (0..faults.len()).find(|_| rng.u32(..1000) < *per_thousand)?;
        state.lost += 1;
        Some(faults[place])
    }
}

const THROTTLED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 109\r\n\r\n\
{\"__type\":\"com.amazonaws.dynamodb.v20120810#ThrottlingException\",\"message\":\"Rate of requests exceeds limits\"}";

/// Reads one HTTP message, with a content length or in chunks.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        read_some(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map(|text| text.trim().parse::<usize>().unwrap());
    loop {
        let is_whole = match length {
            Some(length) => bytes.len() >= end + length,
            None if head.contains("transfer-encoding: chunked") => bytes.ends_with(b"0\r\n\r\n"),
            None => true,
        };
        if is_whole {
            return Some(bytes);
        }
        read_some(stream, &mut bytes).await?;
    }
}

async fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns a request's operation: `TransactWriteItems` for `x-amz-target: DynamoDB_20120810.TransactWriteItems`.
fn operation(request: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(request);
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-amz-target:"))?;
    Some(line.rsplit('.').next()?.trim().to_owned())
}

/// Returns the JSON body of an HTTP message.
fn body(message: &[u8]) -> Value {
    let at = find(message, b"\r\n\r\n").unwrap() + 4;
    serde_json::from_slice(&message[at..]).unwrap()
}

/// Takes the keys of a customer, or of a run, out of a `BatchGetItem`, or its items out of a `BatchWriteItem`. Returns the rest, and what was taken out.
fn take_out(request: &[u8], customer: &str) -> (Value, Value) {
    let (mut rest, mut left_out) = (body(request), json!({}));
    let tables = rest["RequestItems"].as_object_mut().unwrap();
    for (table, requested) in tables.iter_mut() {
        let all = requested.get("Keys").unwrap_or(requested).as_array().unwrap().clone();
        let (theirs, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| {
            let item = one.pointer("/PutRequest/Item").or(one.pointer("/DeleteRequest/Key")).unwrap_or(one);
            ["CUSTOMER_ID", "PK", "RUN_ID"].iter().any(|name| item[name]["S"] == customer)
        });
        let with = |list: Vec<Value>| match requested.get("ConsistentRead") {
            Some(is_strong) => json!({ "Keys": list, "ConsistentRead": is_strong }),
            None => list.into(),
        };
        if !theirs.is_empty() {
            left_out[table] = with(theirs);
        }
        *requested = with(others);
    }
    tables.retain(|_, requested| !requested.get("Keys").unwrap_or(requested).as_array().unwrap().is_empty());
    (rest, left_out)
}

/// Returns the request with another body. Its signature no longer matches, but the local servers do not check it.
fn with_body(request: &[u8], body: &Value) -> Vec<u8> {
    let at = find(request, b"\r\n\r\n").unwrap();
    let body = body.to_string();
    let head = String::from_utf8_lossy(&request[..at]).into_owned();
    let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    format!("{}\r\ncontent-length: {}\r\n\r\n{body}", lines.collect::<Vec<_>>().join("\r\n"), body.len()).into_bytes()
}

fn left_out_answer(operation: &str, mut answer: Value, left_out: Value) -> Vec<u8> {
    let name = if operation == "BatchWriteItem" { "UnprocessedItems" } else { "UnprocessedKeys" };
    answer[name] = left_out;
    let body = answer.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

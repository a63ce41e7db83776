//! `make bench-dynamodb`: cost of a decision in DynamoDB, according to DynamoDB's own responses.
//!
//! The same attempts go through loadgate's consumer and through three other designs, over the SDK, to the embedded
//! DynamoDB and to Amazon's DynamoDB Local. Every figure is a count, not a time, and is the same in each run.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing // In shared code.
)]

mod designs;
mod input;
mod meter;
mod report;
#[path = "../shared/mod.rs"]
mod shared;
mod windows;

use std::io::{Error, Result};
use std::process::ExitCode;

use designs::{Decision, Design, Idempotency, Loadgate, ReadThenWrite, Store, Transaction};
use input::{Case, Repeats};
use meter::{Cost, Costs, Meter};
use shared::server::Server;

/// Names of the designs in the tables.
const DESIGNS: [&str; 4] = ["loadgate", "read, then write", "a transaction an event", "an idempotency record"];

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let inputs = Inputs::new()?;
    let server = Server::embedded(None).await?;
    let embedded = Measured::over(&server, &inputs).await?;
    let windows = windows::measured(&server).await?;
    let local = Measured::over(&Server::dynamodb_local()?, &inputs).await?;
    report::publish(&inputs, &embedded, &local, &windows)
}

/// All measured cases.
struct Inputs {
    lone: Vec<Case>,
    groups: Vec<Case>,
    duplicates: Vec<Case>,
    redeliveries: Vec<Case>,
}

impl Inputs {
    fn new() -> Result<Inputs> {
        let lone = vec![
            Case::lone("accepted", "$1.00", None)?,
            Case::lone("declined", "$5000.01", None)?,
            Case::ten_declined("declined, ten of one customer")?,
            Case::lone("a duplicate", "$1.00", Some(Repeats::Duplicates))?,
            Case::lone("a redelivery: decided before", "$1.00", Some(Repeats::Redeliveries))?,
            Case::undecided("a redelivery: not decided before")?,
        ];
        let mix = |repeats| (0..=50).step_by(10).map(|percent| Case::mix(repeats, percent)).collect::<Result<_>>();
        Ok(Inputs {
            lone,
            groups: (1..=10).map(Case::group).collect::<Result<_>>()?,
            duplicates: mix(Repeats::Duplicates)?,
            redeliveries: mix(Repeats::Redeliveries)?,
        })
    }
}

/// Costs of each design over one server.
struct Measured {
    /// By case, in the order of the designs.
    lone: Vec<[Cost; 4]>,
    groups: Vec<[Cost; 4]>,
    duplicates: Vec<[Cost; 4]>,
    redeliveries: Vec<[Cost; 4]>,
    /// Costs of all designs and cases together, by operation.
    operations: Costs,
}

impl Measured {
    async fn over(server: &Server, inputs: &Inputs) -> Result<Measured> {
        let mut bench = Bench::over(server).await?;
        Ok(Measured {
            lone: bench.costs(&inputs.lone).await?,
            groups: bench.costs(&inputs.groups).await?,
            duplicates: bench.costs(&inputs.duplicates).await?,
            redeliveries: bench.costs(&inputs.redeliveries).await?,
            operations: bench.operations,
        })
    }
}

/// The designs over one server, behind a meter.
struct Bench {
    meter: Meter,
    loadgate: Loadgate,
    read_then_write: ReadThenWrite,
    transaction: Transaction,
    idempotency: Idempotency,
    operations: Costs,
}

impl Bench {
    async fn over(server: &Server) -> Result<Bench> {
        let meter = Meter::before(&server.url).await?;
        let url = meter.url.as_str();
        Ok(Bench {
            loadgate: Loadgate::new(Store::create("loadgate", url).await?.of_loadgate(url).await),
            read_then_write: ReadThenWrite(Store::create("read-then-write", url).await?),
            transaction: Transaction(Store::create("transaction", url).await?),
            idempotency: Idempotency(Store::create("idempotency", url).await?),
            operations: Costs::new(),
            meter,
        })
    }

    async fn costs(&mut self, cases: &[Case]) -> Result<Vec<[Cost; 4]>> {
        let mut costs = Vec::new();
        for case in cases {
            costs.push(self.cost(case).await?);
        }
        Ok(costs)
    }

    /// Returns the cost of a case in each design. All designs must make the same decisions.
    async fn cost(&mut self, case: &Case) -> Result<[Cost; 4]> {
        for batch in &case.before {
            self.loadgate.handle(batch).await?;
            self.read_then_write.handle(batch).await?;
            self.transaction.handle(batch).await?;
            self.idempotency.handle(batch).await?;
        }
        self.loadgate.units();
        let Bench { meter, operations, .. } = self;
        let (loadgate, decisions) = run(&self.loadgate, meter, case, operations).await?;
        let own = self.loadgate.units();
        let (write, read) = (own.write_halves as f64 / 2.0, own.read_halves as f64 / 2.0);
        if (write, read) != (loadgate.write_units, loadgate.read_units) {
            return Err(Error::other(format!("{}: loadgate reports {own:?}, {loadgate:?} passed by", case.name)));
        }
        let others = [
            run(&self.read_then_write, meter, case, operations).await?,
            run(&self.transaction, meter, case, operations).await?,
            run(&self.idempotency, meter, case, operations).await?,
        ];
        for ((_, theirs), design) in others.iter().zip(DESIGNS.iter().skip(1)) {
            if *theirs != decisions {
                return Err(Error::other(format!("{}: {design} does not decide what loadgate decides", case.name)));
            }
        }
        let [read_then_write, transaction, idempotency] = others.map(|(cost, _)| cost);
        Ok([loadgate, read_then_write, transaction, idempotency].map(|cost| cost / case.divisor() as f64))
    }
}

/// Runs a case through a design. Returns its cost, and the published decisions.
async fn run(
    design: &impl Design,
    meter: &Meter,
    case: &Case,
    operations: &mut Costs,
) -> Result<(Cost, Vec<Decision>)> {
    meter.read();
    let mut decisions = Vec::new();
    for batch in &case.batches {
        decisions.extend(design.handle(batch).await?);
    }
    let mut sum = Cost::default();
    for (operation, cost) in meter.read() {
        sum += cost;
        *operations.entry(operation).or_default() += cost;
    }
    Ok((sum, decisions))
}

//! A plain loop: each customer is linked by one transaction, which also counts it in the job's item.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, TransactWriteItem, Update};
use loadgate::adapters::aws;

use crate::meter::{Cost, Meter};
use crate::shared::server::Server;

/// Links so many customers. Returns the time and the cost.
pub(crate) async fn linked(customers: usize) -> Result<(Duration, Cost)> {
    let server = Server::embedded(None).await?;
    let names = crate::names("plain");
    crate::filled(&server.url, &names).await?;
    let meter = Meter::before(&server.url).await?;
    let client = Client::new(&aws::load(Some(&meter.url)).await);
    let table = names.limit.unwrap_or_default();
    let begun = Instant::now();
    for number in 0..customers {
        let actions = vec![link(&table, &crate::customer(number))?, count(&table)?];
        let request = client.transact_write_items().set_transact_items(Some(actions));
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        request.send().await.map_err(Error::other)?;
    }
    let elapsed = begun.elapsed();
    let cost = meter.read().into_values().fold(Cost::default(), |mut sum, cost| {
        sum += cost;
        sum
    });
    Ok((elapsed, cost))
}

fn key(pk: String, sk: &str) -> std::collections::HashMap<String, AttributeValue> {
    [("PK".to_owned(), S(pk)), ("SK".to_owned(), S(sk.to_owned()))].into()
}

fn link(table: &str, customer: &str) -> Result<TransactWriteItem> {
    let plan = M([("ID".to_owned(), S("standard".to_owned())), ("VERSION".to_owned(), N("1".to_owned()))].into());
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(key(format!("customer/{customer}"), "limits")))
        .update_expression("SET #plan = :plan, LINK_NUMBER = :number")
        .condition_expression("PROGRAM_ID = :program")
        .expression_attribute_names("#plan", "PLAN")
        .expression_attribute_values(":plan", plan)
        .expression_attribute_values(":number", N("1".to_owned()))
        .expression_attribute_values(":program", S(crate::PROGRAM.to_owned()));
    Ok(TransactWriteItem::builder().update(update.build().map_err(Error::other)?).build())
}

fn count(table: &str) -> Result<TransactWriteItem> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(key("jobs".to_owned(), "counter")))
        .update_expression("ADD LINKED :one")
        .expression_attribute_values(":one", N("1".to_owned()));
    Ok(TransactWriteItem::builder().update(update.build().map_err(Error::other)?).build())
}

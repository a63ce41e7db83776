//! Tests of what every store must do.

/// Runs each case on the store in memory, on Amazon's DynamoDB Local and on the embedded store. All have tables of
/// customers' own limits and of the decision log.
macro_rules! on_every_store {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(loadgate::adapters::MemoryStore::default()).await; })*
        }
        mod dynamodb_local {
            $(#[tokio::test] #[ignore = "needs `make tools`; `make test` runs it"] async fn $case() {
                super::$case(crate::support::cloud::Fresh::with_limits_in_dynamodb_local().await.store).await;
            })*
        }
        mod embedded {
            $(#[tokio::test] async fn $case() {
                let fresh = crate::support::cloud::Fresh::embedded_with_limits().await;
                super::$case(fresh.store.clone()).await;
            })*
        }
    };
}

pub(crate) use on_every_store;

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

/// Implements [`Store`](loadgate::deciding::Store) by another store, which is a part of the first.
macro_rules! forward_store {
    ($store:ty, |$this:ident| $inner:expr $(, $generic:ident)?) => {
        impl$(<$generic: loadgate::deciding::Store>)? loadgate::deciding::Store for $store {
            async fn read(
                &self,
                lookup: &loadgate::deciding::Lookup,
                records: loadgate::deciding::Consistency,
            ) -> Result<loadgate::deciding::Snapshot, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::read($inner, lookup, records).await
            }

            async fn read_fenced(
                &self,
                lookup: &loadgate::deciding::FencedLookup,
            ) -> Result<loadgate::deciding::FencedSnapshot, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::read_fenced($inner, lookup).await
            }

            async fn read_rows(
                &self,
                customer_id: &str,
            ) -> Result<loadgate::deciding::AllRows, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::read_rows($inner, customer_id).await
            }

            async fn read_default_plan(
                &self,
                program_id: &str,
            ) -> Result<
                loadgate::deciding::Metered<Option<loadgate::domain::PlanVersion>>,
                loadgate::deciding::StoreError,
            > {
                let $this = self;
                loadgate::deciding::Store::read_default_plan($inner, program_id).await
            }

            async fn read_plan(
                &self,
                plan: &loadgate::domain::PlanVersion,
            ) -> Result<loadgate::deciding::Metered<loadgate::domain::Limits>, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::read_plan($inner, plan).await
            }

            async fn commit(
                &self,
                commit: &loadgate::deciding::Commit,
            ) -> Result<loadgate::deciding::Units, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::commit($inner, commit).await
            }

            async fn set_publication(
                &self,
                record: &loadgate::deciding::CorrelationRecord,
            ) -> Result<loadgate::deciding::PublicationChange, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::set_publication($inner, record).await
            }

            async fn write_log(
                &self,
                entries: &[&loadgate::domain::LogEntry],
            ) -> Result<loadgate::deciding::Metered<Vec<usize>>, loadgate::deciding::StoreError> {
                let $this = self;
                loadgate::deciding::Store::write_log($inner, entries).await
            }
        }
    };
}

pub(crate) use {forward_store, on_every_store};

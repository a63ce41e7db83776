//! The limits in force: those of the deployment, and each customer's own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{Currency, Limits, LimitsInForce, Millis, OwnLimits};
use crate::limits::LimitBook;

/// The limits of all customers.
#[derive(Clone, Debug)]
pub struct AllLimits {
    /// The limits of the deployment.
    pub deployment: Limits,
    /// Customers' own limits that are enforced, by the customer's id.
    own: Arc<HashMap<String, OwnLimits>>,
}

impl AllLimits {
    /// Combines the deployment's limits with the own limits of a book that are enforced in this currency.
    pub fn new(deployment: Limits, book: &LimitBook, currency: Currency) -> AllLimits {
        let mut own = HashMap::<String, OwnLimits>::new();
        for limit in book.definitions().filter(|limit| limit.is_enforced_in(currency)) {
            // Events leave no pending change, so that the moment of the decision plays no part.
            own.entry(limit.user_id.clone()).or_default().add(limit, Millis::FIRST);
        }
        AllLimits { deployment, own: Arc::new(own) }
    }

    /// Returns other limits of the deployment with the same own limits of customers.
    #[must_use]
    pub fn with_deployment(&self, deployment: Limits) -> AllLimits {
        AllLimits { deployment, own: Arc::clone(&self.own) }
    }

    /// Returns the limits in force for a customer.
    pub fn of(&self, customer_id: &str) -> LimitsInForce<'_> {
        // Most replays have no own limits, and need no look-up.
        let own = if self.own.is_empty() { None } else { self.own.get(customer_id) };
        LimitsInForce { base: &self.deployment, own: own.unwrap_or(OwnLimits::NONE) }
    }

    /// Returns true when a limit needs the accepted loads themselves: when its window is long, also that of a shadow limit, or
    /// when it is a customer's own.
    pub fn need_loads(&self) -> bool {
        let has_long_shadow = self.deployment.shadow().any(|limit| limit.window.is_long());
        !self.own.is_empty() || self.deployment.first_long().is_some() || has_long_shadow
    }
}

impl From<Limits> for AllLimits {
    fn from(deployment: Limits) -> AllLimits {
        AllLimits { deployment, own: Arc::default() }
    }
}

//! The limits that apply to one customer: the choice among plan, programme and deployment, and a cache of what it reads.
//!
//! A plan version never changes, so it is cached for good; a programme's default plan, for [`DEFAULT_PLAN_KEPT`]. So a
//! decision costs no request more while both are known.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;

use super::round::Failure;
use super::{Clock, CustomerSettings, Decider, Sink, Snapshot, Store, StoreError};
use crate::domain::{LimitOrigin, Limits, LimitsInForce, Millis, OwnLimits, PlanVersion};

/// Maximum time for which a programme's default plan is cached, also that it has none.
pub const DEFAULT_PLAN_KEPT: TimeDelta = TimeDelta::seconds(30);

/// Maximum number of plan versions that are cached. The one that has not been used for longest makes room.
const PLAN_VERSIONS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// Maximum number of programmes whose default plan is cached.
const PROGRAMS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// Cache of plan versions and of programmes' default plans. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct PlanCache(Arc<Mutex<Cached>>);

#[derive(Debug)]
struct Cached {
    versions: LruCache<PlanVersion, Arc<Limits>>,
    defaults: LruCache<String, DefaultPlan>,
}

/// Default plan of a programme, if it has one, with the instant at which its read began.
#[derive(Clone, Debug)]
struct DefaultPlan {
    plan: Option<PlanVersion>,
    read_at: DateTime<Utc>,
}

/// The limits that apply to one customer.
pub(super) struct Rules<'d> {
    base: Base<'d>,
    own: OwnLimits,
    /// Origin of the limits that are not the customer's own.
    pub(super) origin: LimitOrigin,
}

enum Base<'d> {
    Deployment(&'d Limits),
    Plan(Arc<Limits>),
}

impl Rules<'_> {
    /// Returns the limits of both groups.
    pub(super) fn in_force(&self) -> LimitsInForce<'_> {
        let base = match &self.base {
            Base::Deployment(limits) => limits,
            Base::Plan(limits) => &**limits,
        };
        LimitsInForce { base, own: &self.own }
    }
}

impl<S: Store, C: Clock> Decider<S, C> {
    /// Returns the limits that apply to a customer. Reads what is not in the cache.
    ///
    /// # Errors
    /// The error with which the customer's settings were not read; or [`StoreError::Corrupt`] for a plan version that is
    /// missing: other limits could be looser.
    pub(super) async fn rules(
        &self,
        customer_id: &str,
        snapshot: &Snapshot,
        sink: &impl Sink,
    ) -> Result<Rules<'_>, Failure> {
        let settings = snapshot.settings.get(customer_id).map(Result::as_ref).transpose().map_err(StoreError::clone)?;
        let Some(CustomerSettings { own_limits, link, program_id }) = settings else {
            return Ok(Rules {
                base: Base::Deployment(&self.limits),
                own: OwnLimits::default(),
                origin: LimitOrigin::Deployment,
            });
        };
        let default = match (link, program_id) {
            (None, Some(program_id)) => self.default_plan(program_id, sink).await?,
            (Some(_), _) | (None, None) => None,
        };
        let origin = LimitOrigin::resolve(link.as_ref(), program_id.as_deref(), default.as_ref());
        let base = match origin.plan() {
            None => Base::Deployment(&self.limits),
            Some(plan) => Base::Plan(self.plan(plan, sink).await?),
        };
        Ok(Rules { base, own: OwnLimits::enforced(own_limits, self.currency, Millis::of(self.clock.now())), origin })
    }

    async fn default_plan(&self, program_id: &str, sink: &impl Sink) -> Result<Option<PlanVersion>, Failure> {
        let now = self.clock.now();
        if let Some(DefaultPlan { plan, .. }) = self.plans.default_plan(program_id, now) {
            return Ok(plan);
        }
        let read = self.timed(self.store.read_default_plan(program_id), |read| read.units, sink).await?;
        self.plans.keep_default_plan(program_id, read.value.clone(), now);
        Ok(read.value)
    }

    pub(super) async fn plan(&self, plan: &PlanVersion, sink: &impl Sink) -> Result<Arc<Limits>, Failure> {
        if let Some(known) = self.plans.version(plan) {
            return Ok(known);
        }
        let read = self.timed(self.store.read_plan(plan), |read| read.units, sink).await?;
        let limits = Arc::new(read.value);
        self.plans.keep_version(plan, &limits);
        Ok(limits)
    }
}

impl PlanCache {
    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self, plan: &PlanVersion) -> Option<Arc<Limits>> {
        self.cached().versions.get(plan).map(Arc::clone)
    }

    fn keep_version(&self, plan: &PlanVersion, limits: &Arc<Limits>) {
        self.cached().versions.put(plan.clone(), Arc::clone(limits));
    }

    /// Returns the default plan that is known at `now`; `None` if it must be read. A clock that was set back makes it
    /// unknown.
    fn default_plan(&self, program_id: &str, now: DateTime<Utc>) -> Option<DefaultPlan> {
        let mut cached = self.cached();
        let known = cached.defaults.get(program_id)?;
        let age = now.signed_duration_since(known.read_at);
        (TimeDelta::zero() <= age && age < DEFAULT_PLAN_KEPT).then(|| known.clone())
    }

    fn keep_default_plan(&self, program_id: &str, plan: Option<PlanVersion>, read_at: DateTime<Utc>) {
        self.cached().defaults.put(program_id.to_owned(), DefaultPlan { plan, read_at });
    }
}

impl Default for Cached {
    fn default() -> Cached {
        Cached { versions: LruCache::new(PLAN_VERSIONS_MAX), defaults: LruCache::new(PROGRAMS_MAX) }
    }
}

//! Parser of a limit event from the bytes of a line or a stream record.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Fault, OBJECT, STRING, kind_of, position, present};
use crate::domain::{
    ATTEMPT_BYTES_MAX, Cents, Change, Currency, ID_BYTES_MAX, LimitEvent, LimitEventError, LimitEventField, Millis,
    OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod, Progress,
};

/// Parses a limit event.
///
/// # Errors
/// The first error in the order of [`LimitEventError`]'s variants.
pub fn parse_limit_event(bytes: &[u8]) -> Result<LimitEvent, LimitEventError> {
    if bytes.len() > ATTEMPT_BYTES_MAX {
        return Err(LimitEventError::TooLong);
    }
    let text = str::from_utf8(bytes).map_err(|error| LimitEventError::NotUtf8 { at: error.valid_up_to() + 1 })?;
    let mut reader = Reader { text, errors: vec![] };
    let input = LimitEventField("the input");
    let Some(envelope) = reader.object::<Envelope<'_>>(text, input)? else {
        return Err(LimitEventError::BadType { field: input, expected: OBJECT, found: kind_of(text) });
    };
    let kind = reader.string("type", envelope.kind);
    let sequence_number: Option<u64> = reader.integer("sequenceNumber", envelope.sequence_number);
    let created_at = reader.instant("createdAt", envelope.created_at);
    let payload = reader.require("payload", envelope.payload).map(RawValue::get);
    let change = match (kind.as_deref(), payload) {
        (Some("USER_LIMIT_CREATED"), Some(payload)) => reader.created(payload, created_at)?,
        (Some("USER_LIMIT_PROGRESS_CHANGED"), Some(payload)) => reader.progressed(payload)?,
        (Some("USER_LIMIT_RESET"), Some(payload)) => reader.reset(payload)?,
        _ => None,
    };
    reader.end()?;
    Ok(LimitEvent {
        sequence_number: sequence_number.unwrap_or_default(),
        created_at: created_at.unwrap_or(Millis::new(0)),
        change,
    })
}

/// The fields of every event, with any value. Others are ignored.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "present")]
    kind: Option<&'a RawValue>,
    #[serde(rename = "sequenceNumber", borrow, default, deserialize_with = "present")]
    sequence_number: Option<&'a RawValue>,
    #[serde(rename = "createdAt", borrow, default, deserialize_with = "present")]
    created_at: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// The fields of a payload that have an effect, with any value. Others are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    user_limit_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    brand_id: Option<&'a RawValue>,
    #[serde(rename = "type", borrow, default, deserialize_with = "present")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    period: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    currency_code: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    status: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    active_from: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    active_until: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    progress: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    previous_progress: Option<&'a RawValue>,
}

/// Reads values, and collects what is wrong with them.
struct Reader<'t> {
    text: &'t str,
    errors: Vec<LimitEventError>,
}

impl<'t> Reader<'t> {
    fn created(&mut self, payload: &'t str, created_at: Option<Millis>) -> Result<Option<Change>, LimitEventError> {
        let Some(payload) = self.object::<Payload<'_>>(payload, LimitEventField("payload"))? else { return Ok(None) };
        let (limit_id, user_id) = self.ids(&payload);
        let kind =
            self.word("type", payload.kind, |word| OwnLimitKind::ALL.into_iter().find(|kind| kind.name() == word));
        let period =
            self.word("period", payload.period, |word| OwnPeriod::ALL.into_iter().find(|it| it.name() == word));
        let currency = self.word("currencyCode", payload.currency_code, Currency::parse);
        let value = self.amount("value", payload.value);
        let status = self.word("status", payload.status, |word| status(word, created_at));
        let active_from = self.instant("activeFrom", payload.active_from);
        let active_until = optional(payload.active_until).and_then(|raw| self.instant("activeUntil", Some(raw)));
        let progress = optional(payload.progress).and_then(|raw| self.amount("progress", Some(raw)));
        let brand_id = optional(payload.brand_id).and_then(|raw| self.brand_id(raw));
        let limit = || {
            Some(OwnLimit {
                limit_id: limit_id?,
                user_id: user_id?,
                brand_id,
                kind: kind?,
                period: period?,
                currency: currency?,
                value: Cents::new(value?),
                status: status?,
                active_from: active_from?,
                active_until,
                raises: vec![],
                pending: None,
            })
        };
        Ok(limit().map(|limit| Change::Created { limit: Box::new(limit), progress }))
    }

    fn progressed(&mut self, payload: &'t str) -> Result<Option<Change>, LimitEventError> {
        let Some(payload) = self.object::<Payload<'_>>(payload, LimitEventField("payload"))? else { return Ok(None) };
        let (limit_id, user_id) = self.ids(&payload);
        let amount = self.signed_amount("amount", payload.amount);
        let before = self.amount("previousProgress", payload.previous_progress);
        let progress = || {
            let progress = before?.saturating_add_signed(amount?);
            Some(Progress { limit_id: limit_id?, user_id: user_id?, progress })
        };
        Ok(progress().map(Change::Progressed))
    }

    fn reset(&mut self, payload: &'t str) -> Result<Option<Change>, LimitEventError> {
        let Some(payload) = self.object::<Payload<'_>>(payload, LimitEventField("payload"))? else { return Ok(None) };
        let (limit_id, user_id) = self.ids(&payload);
        let progress = || Some(Progress { limit_id: limit_id?, user_id: user_id?, progress: 0 });
        Ok(progress().map(Change::Progressed))
    }

    fn ids(&mut self, payload: &Payload<'t>) -> (Option<String>, Option<String>) {
        (self.id("userLimitId", payload.user_limit_id), self.id("userId", payload.user_id))
    }

    /// Reads an object; `None` if the text is another value. A text that is not JSON, or has a field twice, is an error
    /// before all others.
    fn object<T: Deserialize<'t>>(
        &mut self,
        json: &'t str,
        field: LimitEventField,
    ) -> Result<Option<T>, LimitEventError> {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(json) {
            let Fault { at, detail } = Fault::of(self.text, &error);
            return Err(LimitEventError::NotJson { at, detail });
        }
        if kind_of(json) != OBJECT {
            self.errors.push(LimitEventError::BadType { field, expected: OBJECT, found: kind_of(json) });
            return Ok(None);
        }
        let before = json.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        serde_json::from_str(json).map(Some).map_err(|error| LimitEventError::NotJson {
            at: before + position(json, &error),
            detail: "a field appears twice",
        })
    }

    /// Returns the error to report: the first of those that are checked first.
    fn end(self) -> Result<(), LimitEventError> {
        self.errors
            .into_iter()
            .min_by_key(|error| CHECKED.iter().position(|code| *code == error.code()))
            .map_or(Ok(()), Err)
    }

    fn require(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<&'t RawValue> {
        if raw.is_none() {
            self.errors.push(LimitEventError::MissingField { field: LimitEventField(name) });
        }
        raw
    }

    fn bad_type(&mut self, name: &'static str, expected: &'static str, found: &'static str) {
        self.errors.push(LimitEventError::BadType { field: LimitEventField(name), expected, found });
    }

    fn string(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<String> {
        let json = self.require(name, raw)?.get();
        if kind_of(json) != STRING {
            self.bad_type(name, STRING, kind_of(json));
            return None;
        }
        if let Some(Fault { at, detail }) = Fault::of_escape(self.text, json) {
            self.errors.push(LimitEventError::NotJson { at, detail });
        }
        serde_json::from_str(json).ok()
    }

    fn integer<T: std::str::FromStr>(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<T> {
        let json = self.require(name, raw)?.get();
        let number = json.parse().ok();
        if number.is_none() {
            let found = kind_of(json);
            let found = if found == "a number" { "a number of another form or size" } else { found };
            self.bad_type(name, "a whole number", found);
        }
        number
    }

    fn instant(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<Millis> {
        let instant = Millis::new(self.integer(name, raw)?);
        if instant.instant().is_none() {
            self.errors.push(LimitEventError::BadTime { field: LimitEventField(name) });
        }
        Some(instant)
    }

    fn id(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<String> {
        let id = self.string(name, raw)?;
        if !(1..=ID_BYTES_MAX).contains(&id.len()) {
            self.errors.push(LimitEventError::BadId { field: LimitEventField(name) });
        }
        Some(id)
    }

    /// Reads a brand's id. It may be empty, but must not be longer than other ids: it is stored with its limit.
    fn brand_id(&mut self, raw: &'t RawValue) -> Option<String> {
        let id = self.string("brandId", Some(raw))?;
        if id.len() > ID_BYTES_MAX {
            self.errors.push(LimitEventError::BadId { field: LimitEventField("brandId") });
        }
        Some(id)
    }

    fn word<T>(
        &mut self,
        name: &'static str,
        raw: Option<&'t RawValue>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(&self.string(name, raw)?);
        if value.is_none() {
            self.errors.push(LimitEventError::BadValue { field: LimitEventField(name) });
        }
        value
    }

    fn amount(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<u64> {
        let amount = Cents::of_units(&self.string(name, raw)?).map(Cents::get);
        self.known_amount(name, amount)
    }

    fn signed_amount(&mut self, name: &'static str, raw: Option<&'t RawValue>) -> Option<i64> {
        let text = self.string(name, raw)?;
        let (amount, is_negative) = text.strip_prefix('-').map_or((text.as_str(), false), |amount| (amount, true));
        let amount = self.known_amount(name, Cents::of_units(amount).map(Cents::get))?;
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        Some(if is_negative { amount.saturating_neg() } else { amount })
    }

    fn known_amount(&mut self, name: &'static str, amount: Option<u64>) -> Option<u64> {
        if amount.is_none() {
            self.errors.push(LimitEventError::BadAmount { field: LimitEventField(name) });
        }
        amount
    }
}

/// The codes in the order in which they are checked.
const CHECKED: [&str; 7] = ["NOT_JSON", "MISSING_FIELD", "BAD_TYPE", "BAD_ID", "BAD_AMOUNT", "BAD_TIME", "BAD_VALUE"];

/// Treats `null` as a missing value.
fn optional(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}

fn status(word: &str, created_at: Option<Millis>) -> Option<OwnLimitStatus> {
    let canceled = OwnLimitStatus::Canceled { at: created_at.unwrap_or(Millis::new(0)) };
    let all = [OwnLimitStatus::Active, OwnLimitStatus::Future, OwnLimitStatus::InCooldown, canceled];
    all.into_iter().find(|status| status.name() == word)
}

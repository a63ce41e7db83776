//! Places outside the tables' items of a customer that may still hold its id.

/// Sentences about them, one a line.
pub const REMAINS: &[&str] = &[
    "The queues may hold messages of the customer for up to 14 days: the input queue, the decisions queue and the \
     dead-letter queues. A load that arrives later is decided as that of a new customer.",
    "The stream of limit events keeps its records for up to 7 days. An event that is delivered again brings its limit back.",
    "Pages and failures of assignment jobs name the customers of their programme, and stay in the limit table.",
    "Answers that are kept for repeated requests to the HTTP API expire after 24 hours.",
    "Logs name a customer whose item had to be corrected by hand, for LogRetentionDays of template.yaml.",
    "Backups keep deleted items: point-in-time recovery for 35 days, a backup on demand until it is deleted.",
    "Files of replays, exports and archives are where you put them.",
];

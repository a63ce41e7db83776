//! Single steps of jobs.

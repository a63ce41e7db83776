//! Redrive of dead letters.

mod passes;

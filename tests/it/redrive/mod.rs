//! Dead letters.

mod passes;

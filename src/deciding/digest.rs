//! Names that are derived from what they name.

use sha2::{Digest, Sha256};

/// The SHA-256 of several parts, in hexadecimal digits. Each part is preceded by its length, so that no two lists of
/// parts give the same bytes: `["ab", "c"]` is not `["a", "bc"]`.
pub fn digest_hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    base16ct::lower::encode_string(&hash.finalize())
}

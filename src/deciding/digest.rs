//! Names derived by hashing.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 digest of several parts, in hexadecimal digits. Each part is preceded by its length, so that
/// distinct lists of parts yield distinct bytes: `["ab", "c"]` differs from `["a", "bc"]`.
pub fn digest_hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    base16ct::lower::encode_string(&hash.finalize())
}

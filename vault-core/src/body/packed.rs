//! Small bodies: sealed and opened in one piece.

use zeroize::Zeroizing;

use super::header::{HeaderDraft, SignedHeader, read_front};
use super::{BodyContext, BodyError, content_digest};
use crate::keys::SecretKey;
use crate::seal::{open, padme, seal};

/// Seals `content` under `cek`. Returns the signed header and the sealed body.
pub(crate) fn seal_packed(
    context: BodyContext<'_>,
    cek: &SecretKey,
    draft: &HeaderDraft<'_>,
    content: &[u8],
) -> (SignedHeader, Vec<u8>) {
    let header = draft.finish(content.len() as u64, content_digest(content));
    let offset = 8 + header.bytes.len();
    let len = padme((offset + content.len()) as u64) as usize;
    let mut plain = Zeroizing::new(Vec::with_capacity(len));
    plain.extend_from_slice(&header.lengths(offset));
    plain.extend_from_slice(&header.bytes);
    plain.extend_from_slice(content);
    plain.resize(len, 0);
    let sealed = seal(cek.expose(), &context.bytes("body"), &plain);
    (header, sealed)
}

/// Opens a sealed body of one piece and checks header, ids and content digest.
pub(crate) fn open_packed(
    context: BodyContext<'_>,
    cek: &SecretKey,
    sealed: &[u8],
) -> Result<(SignedHeader, Zeroizing<Vec<u8>>), BodyError> {
    let plain = Zeroizing::new(open(cek.expose(), &context.bytes("body"), sealed)?);
    let (header, offset) = read_front(&plain)?;
    let h = &header.header;
    header.belongs_to(context)?;
    let len = usize::try_from(h.len).map_err(|_| BodyError::Malformed)?;
    let end = offset.checked_add(len).ok_or(BodyError::Malformed)?;
    let content = plain.get(offset..end).ok_or(BodyError::Malformed)?;
    if content_digest(content) != h.digest {
        return Err(BodyError::Digest);
    }
    Ok((header, Zeroizing::new(content.to_vec())))
}

/// Seals a small body again under another key, header and content unchanged.
pub(crate) fn reseal_packed(
    context: BodyContext<'_>,
    old: &SecretKey,
    sealed: &[u8],
    new: &SecretKey,
) -> Result<Vec<u8>, BodyError> {
    let plain = Zeroizing::new(open(old.expose(), &context.bytes("body"), sealed)?);
    Ok(seal(new.expose(), &context.bytes("body"), &plain))
}

//! The container: magic, version and one zstd frame around the content.
//!
//! The [module docs](super) describe the format. `content` encodes the content of the frame.
//! [`Cache`](super::Cache) names the file and checks that name and block match. A container that
//! decodes is well formed. Nothing more is known of it.

use std::io::{self, Read};

use alloy_primitives::Bytes;
use zstd::{bulk::Compressor, stream::read::Decoder, zstd_safe::get_frame_content_size};

use super::{
    ContainerError, content,
    limits::{self, MAX_CONTENT_BYTES},
};
use crate::block::RecordedBlock;

/// The first bytes of every container. The first one is neither ASCII nor valid UTF-8. So text
/// files do not match, and a transfer in text mode is detected.
pub const MAGIC: [u8; 8] = *b"\x89blkrace";

/// The format version that is written. Older ones are read.
pub const VERSION: u16 = 2;

/// The default of zstd. Most of a witness is hashes, which do not compress. Higher levels were
/// compared with the default on mainnet witnesses of 2 to 3 MB. Level 9 takes 3 times as long and
/// makes the file only slightly smaller, by 1 to 2 %. Level 19 takes 20 to 30 times as long. It
/// makes the file smaller by 3 to 4 %. Neither decodes faster.
const LEVEL: i32 = 3;

/// The longest frame header (RFC 8878, section 3.1.1.1, with the frame's magic).
const MAX_FRAME_HEADER_BYTES: usize = 18;

/// Encodes a block as a container, byte for byte the content of its file.
///
/// # Errors
///
/// [`ContainerError::TooLarge`] and [`ContainerError::NotAscending`] if a reader would refuse the
/// block. [`ContainerError::Compress`] if compression fails.
pub fn encode(recorded: &RecordedBlock) -> Result<Vec<u8>, ContainerError> {
    let content = content::encode(recorded)?;
    let frame = compress(&content).map_err(|source| ContainerError::Compress { source })?;
    Ok([&MAGIC[..], &VERSION.to_be_bytes(), &frame].concat())
}

/// Decodes a container. All byte strings of the pre-state share one buffer, without copies.
///
/// # Errors
///
/// Every variant of [`ContainerError`] but `Compress`. It never panics, for any bytes.
pub fn decode(container: &[u8]) -> Result<RecordedBlock, ContainerError> {
    let (version, frame) = open(container)?;
    content::decode(&Bytes::from(decompress(frame)?), version)
}

/// Checks magic and version. Returns the version and the rest, which should be the frame.
fn open(container: &[u8]) -> Result<(u16, &[u8]), ContainerError> {
    let Some(rest) = container.strip_prefix(&MAGIC) else {
        return Err(match MAGIC.starts_with(container) {
            true => ContainerError::Truncated,
            false => ContainerError::NotAContainer,
        });
    };
    let Some((version, frame)) = rest.split_first_chunk() else {
        return Err(ContainerError::Truncated);
    };
    match u16::from_be_bytes(*version) {
        known @ 1..=VERSION => Ok((known, frame)),
        found => Err(ContainerError::UnknownVersion { found }),
    }
}

fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_contentsize(true)?;
    compressor.include_checksum(true)?;
    compressor.compress(content)
}

/// The content of `frame`, which must be exactly one frame.
pub(super) fn decompress(frame: &[u8]) -> Result<Vec<u8>, ContainerError> {
    let mut content = vec![0; content_size(frame)?];
    let mut decoder = Decoder::with_buffer(frame).map_err(damaged)?.single_frame();
    decoder.read_exact(&mut content).map_err(damaged)?;
    // The checksum follows the last byte of content. Only a further read checks it.
    let beyond = decoder.read(&mut [0]).map_err(damaged)?;
    match beyond + decoder.finish().len() {
        0 => Ok(content),
        count => Err(ContainerError::TrailingBytes { count }),
    }
}

/// The content size that the frame declares, if it is within the limit. zstd rejects a frame with
/// content of another size.
fn content_size(frame: &[u8]) -> Result<usize, ContainerError> {
    match get_frame_content_size(frame) {
        Ok(Some(size)) => {
            limits::check("bytes of content", size, MAX_CONTENT_BYTES)?;
            Ok(size as usize)
        }
        Ok(None) => Err(ContainerError::UnknownSize),
        Err(_) if frame.len() < MAX_FRAME_HEADER_BYTES => Err(ContainerError::Truncated),
        Err(_) => Err(ContainerError::NoFrame),
    }
}

fn damaged(source: io::Error) -> ContainerError {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => ContainerError::Truncated,
        _ => ContainerError::Damaged { source },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::cache::tests::{empty_block, flat_block, full_block};

    /// A container around any frame.
    fn container(frame: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &VERSION.to_be_bytes(), frame].concat()
    }

    /// A zstd frame header that declares a content size in 8 bytes, and a checksum.
    fn frame_header(size: u64) -> Vec<u8> {
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xe4][..], &size.to_le_bytes()].concat()
    }

    #[test]
    fn a_decoded_block_equals_the_encoded_one() {
        for block in [empty_block(0), full_block(24_628_608), flat_block(14_396_881)] {
            let container = encode(&block).unwrap();
            assert_eq!(decode(&container).unwrap(), block);
        }
    }

    #[test]
    fn a_container_of_version_1_is_read() {
        for number in [0, 24_628_608] {
            let RecordedBlock { chain_id, block, state, .. } = full_block(number);
            let block = RecordedBlock::new(chain_id, block, state);
            let content = content::encode_version_1(&block);
            let frame = compress(&content).unwrap();
            let container = [&MAGIC[..], &[0, 1], &frame].concat();
            assert_eq!(decode(&container).unwrap(), block);
        }
    }

    #[test]
    fn version_and_content_must_agree() {
        let mut container = encode(&full_block(7)).unwrap();
        container[9] = 1;
        let error = decode(&container).unwrap_err();
        assert!(matches!(error, ContainerError::UnknownItems { .. }), "{error:?}");

        let frame = compress(&content::encode_version_1(&full_block(7))).unwrap();
        let error = decode(&self::container(&frame)).unwrap_err();
        assert!(
            matches!(error, ContainerError::Malformed { part: "block access list", .. }),
            "{error:?}"
        );
    }

    #[test]
    fn encoding_is_deterministic() {
        assert_eq!(encode(&full_block(1)).unwrap(), encode(&full_block(1)).unwrap());
    }

    #[test]
    fn a_container_begins_as_documented() {
        let container = encode(&empty_block(1)).unwrap();
        assert_eq!(container[..8], [0x89, 0x62, 0x6c, 0x6b, 0x72, 0x61, 0x63, 0x65]);
        assert_eq!(container[8..10], [0, 2]);
        assert_eq!(container[10..14], [0x28, 0xb5, 0x2f, 0xfd]);
        let descriptor = container[14];
        assert_ne!(descriptor & 0x04, 0, "the frame has no checksum");
    }

    #[test]
    fn a_changed_byte_is_refused_or_has_no_effect() {
        let block = full_block(7);
        let container = encode(&block).unwrap();
        for at in 0..container.len() {
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut changed = container.clone();
                changed[at] ^= mask;
                if let Ok(decoded) = decode(&changed) {
                    assert_eq!(decoded, block, "byte {at} changed by {mask:#04x}");
                }
            }
        }
    }

    #[test]
    fn a_shortened_container_is_reported_as_truncated() {
        let container = encode(&full_block(7)).unwrap();
        for length in 0..container.len() {
            let error = decode(&container[..length]).unwrap_err();
            assert!(matches!(error, ContainerError::Truncated), "at {length}: {error:?}");
        }
    }

    #[test]
    fn a_byte_after_the_frame_is_refused() {
        let mut container = encode(&full_block(7)).unwrap();
        container.push(0);
        let error = decode(&container).unwrap_err();
        assert!(matches!(error, ContainerError::TrailingBytes { count: 1 }), "{error:?}");
    }

    #[test]
    fn a_second_frame_is_refused() {
        let mut container = encode(&full_block(7)).unwrap();
        container.extend(compress(b"more").unwrap());
        let error = decode(&container).unwrap_err();
        assert!(matches!(error, ContainerError::TrailingBytes { .. }), "{error:?}");
    }

    #[test]
    fn other_files_are_not_containers() {
        for other in [&b"{\"jsonrpc\":\"2.0\"}"[..], b"\x89PNG\r\n\x1a\n", &[0; 64]] {
            let error = decode(other).unwrap_err();
            assert!(matches!(error, ContainerError::NotAContainer), "{error:?}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut container = encode(&empty_block(1)).unwrap();
        container[8..10].copy_from_slice(&0x0102_u16.to_be_bytes());
        let error = decode(&container).unwrap_err();
        assert!(matches!(error, ContainerError::UnknownVersion { found: 258 }), "{error:?}");
    }

    #[test]
    fn a_frame_without_a_header_is_refused() {
        let error = decode(&container(&[0; 32])).unwrap_err();
        assert!(matches!(error, ContainerError::NoFrame), "{error:?}");
    }

    #[test]
    fn a_frame_that_declares_too_much_is_refused_before_it_is_read() {
        for size in [MAX_CONTENT_BYTES + 1, u64::MAX - 2] {
            let frame = [&frame_header(size)[..], &[0; 16]].concat();
            let error = decode(&container(&frame)).unwrap_err();
            assert!(
                matches!(error, ContainerError::TooLarge { size: found, .. } if found == size),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_frame_with_less_content_than_declared_is_truncated() {
        let frame = [&frame_header(MAX_CONTENT_BYTES / 16)[..], &[0; 5]].concat();
        let error = decode(&container(&frame)).unwrap_err();
        assert!(matches!(error, ContainerError::Truncated), "{error:?}");
    }

    #[test]
    fn a_frame_that_expands_past_its_declared_size_is_refused() {
        let mut frame = compress(&[0; 1 << 20]).unwrap();
        let size = frame.iter().position(|byte| *byte == 0x10).unwrap() - 2;
        assert_eq!(frame[size..size + 4], (1_u32 << 20).to_le_bytes());
        frame[size..size + 4].copy_from_slice(&1000_u32.to_le_bytes());

        let error = decode(&container(&frame)).unwrap_err();
        assert!(matches!(error, ContainerError::Damaged { .. }), "{error:?}");
    }

    #[test]
    fn a_frame_without_a_content_size_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).unwrap();
        encoder.write_all(&[7; 100]).unwrap();
        let frame = encoder.finish().unwrap();
        let error = decode(&container(&frame)).unwrap_err();
        assert!(matches!(error, ContainerError::UnknownSize), "{error:?}");
    }

    #[test]
    fn content_with_another_checksum_is_refused() {
        let mut container = encode(&full_block(7)).unwrap();
        let last = container.len() - 1;
        container[last] ^= 1;
        let error = decode(&container).unwrap_err();
        assert!(matches!(error, ContainerError::Damaged { .. }), "{error:?}");
    }
}

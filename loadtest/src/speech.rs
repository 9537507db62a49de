//! Real speech: five talk bursts in the AMR-WB storage format (RFC 4867 §5), and what of them goes into RTP.

use thiserror::Error;

/// RTP payload type under which a group carries AMR-WB by default.
pub const PAYLOAD_TYPE: u8 = 96;

/// What one frame lasts. Milliseconds.
pub const FRAME_MS: u32 = 20;

/// What one frame adds to the RTP timestamp: 20 ms at 16 kHz.
pub const FRAME_TICKS: u32 = 320;

/// How many bursts there are, 1 to 5.
pub const BURSTS: usize = 5;

const MAGIC: &[u8] = b"#!AMR-WB\n";

/// No mode is asked of the other side (RFC 4867 §4.3.1), followed by four zero bits of the octet-aligned form.
const CODEC_MODE_REQUEST: u8 = 0xf0;

/// Octets of a frame's speech, by frame type: nine modes and the silence descriptor (RFC 4867 §5.3, TS 26.201).
const FRAME_SIZES: [usize; 10] = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5];

static EMBEDDED: [&[u8]; BURSTS] = [
    include_bytes!("../data/burst-1.awb"),
    include_bytes!("../data/burst-2.awb"),
    include_bytes!("../data/burst-3.awb"),
    include_bytes!("../data/burst-4.awb"),
    include_bytes!("../data/burst-5.awb"),
];

/// The frames of one talk burst.
#[derive(Clone, Copy, Debug)]
pub struct Speech<'a> {
    frames: &'a [u8],
    count: usize,
}

/// Why bytes are not AMR-WB speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The file does not begin with the magic number of single-channel AMR-WB.
    #[error("speech does not begin with #!AMR-WB; encode it as single-channel AMR-WB storage format")]
    Magic,
    /// A frame has a type that carries no speech.
    #[error("frame {frame} of the speech has type {kind}, which AMR-WB does not define; encode the file again")]
    FrameType {
        /// Which frame, from 0.
        frame: usize,
        /// Its type.
        kind: u8,
    },
    /// The last frame is cut off.
    #[error("frame {frame} of the speech is cut off; copy the file again")]
    CutOff {
        /// Which frame, from 0.
        frame: usize,
    },
}

impl Speech<'static> {
    /// An embedded burst, 1 to 5; `None` beyond.
    pub fn burst(number: usize) -> Option<Speech<'static>> {
        let bytes = EMBEDDED.get(number.checked_sub(1)?)?;
        Some(Speech::parse(bytes).expect("the embedded bursts are well-formed: a test reads each of them"))
    }

    /// All embedded bursts, again and again, without a pause: at least `ms` long. Kept until the process ends.
    pub fn endless(ms: u32) -> Speech<'static> {
        let mut frames = MAGIC.to_vec();
        let round: Vec<u8> = EMBEDDED.iter().filter_map(|bytes| bytes.strip_prefix(MAGIC)).flatten().copied().collect();
        let length = Self::burst_lengths_ms().max(1);
        for _ in 0..ms.div_ceil(length) {
            frames.extend_from_slice(&round);
        }
        Speech::parse(frames.leak()).expect("frames behind frames are frames")
    }

    /// Nothing: whoever is told to say it stops.
    pub fn nothing() -> Speech<'static> {
        Speech { frames: &[], count: 0 }
    }

    fn burst_lengths_ms() -> u32 {
        (1..=BURSTS).filter_map(Speech::burst).map(|speech| speech.length_ms()).sum()
    }
}

impl<'a> Speech<'a> {
    /// Reads a file in storage format. Every frame is checked here, so that playing cannot fail.
    pub fn parse(bytes: &'a [u8]) -> Result<Speech<'a>, Malformed> {
        let frames = bytes.strip_prefix(MAGIC).ok_or(Malformed::Magic)?;
        let (mut rest, mut count) = (frames, 0);
        while let Some((&header, body)) = rest.split_first() {
            let size = frame_size(header).ok_or(Malformed::FrameType { frame: count, kind: header >> 3 & 0x0f })?;
            rest = body.get(size..).ok_or(Malformed::CutOff { frame: count })?;
            count += 1;
        }
        Ok(Speech { frames, count })
    }

    /// Frames in the burst, 20 ms each.
    pub fn frames(&self) -> usize {
        self.count
    }

    /// How long it lasts. Milliseconds.
    pub fn length_ms(&self) -> u32 {
        self.count as u32 * FRAME_MS
    }

    /// The RTP payloads, octet-aligned, one frame each (RFC 4867 §4.4): mode request, table of contents with one entry, speech.
    pub fn payloads(&self) -> impl Iterator<Item = Vec<u8>> + 'a {
        let mut rest = self.frames;
        std::iter::from_fn(move || {
            let (&header, body) = rest.split_first()?;
            let (speech, next) = body.split_at_checked(frame_size(header)?)?;
            rest = next;
            // The header of a stored frame is its table entry: F is 0, so this entry is the last one.
            let mut payload = vec![CODEC_MODE_REQUEST, header & 0x7c];
            payload.extend_from_slice(speech);
            Some(payload)
        })
    }
}

fn frame_size(header: u8) -> Option<usize> {
    let kind = usize::from(header >> 3 & 0x0f);
    match kind {
        0..10 => FRAME_SIZES.get(kind).copied(),
        14 | 15 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bursts_are_as_long_as_their_readme_says() {
        let readme = include_str!("../data/README.md");
        for number in 1..=BURSTS {
            let speech = Speech::burst(number).unwrap();
            let row = readme.lines().find(|line| line.contains(&format!("burst-{number}.awb"))).unwrap();
            let seconds: f64 = row.split('|').nth(2).unwrap().trim().parse().unwrap();
            let whole = f64::from(speech.length_ms()) / 1000.0;
            // The last frame is filled up with silence.
            assert!((0.0..0.021).contains(&(whole - seconds)), "burst {number}: {whole} s for {seconds} s");
            assert_eq!(speech.payloads().count(), speech.frames());
        }
        assert!(Speech::burst(0).is_none() && Speech::burst(BURSTS + 1).is_none());
    }

    #[test]
    fn a_payload_is_mode_request_table_and_one_frame() {
        for payload in Speech::burst(1).unwrap().payloads() {
            assert_eq!(payload[0], 0xf0);
            assert_eq!(payload[1], 8 << 3 | 0x04, "mode 8, good quality, no further frame");
            assert_eq!(payload.len(), 2 + 60);
        }
    }

    #[test]
    fn endless_speech_lasts_as_long_as_it_must() {
        assert!(Speech::endless(60_000).length_ms() >= 60_000);
        assert_eq!(Speech::endless(0).frames(), 0);
        assert_eq!(Speech::nothing().payloads().count(), 0);
    }

    #[test]
    fn what_is_no_speech_is_refused() {
        let whole = EMBEDDED[1];
        assert_eq!(Speech::parse(b"#!AMR\n").unwrap_err(), Malformed::Magic);
        assert_eq!(Speech::parse(&whole[..whole.len() - 1]).unwrap_err(), Malformed::CutOff { frame: 149 });
        let mut wrong = MAGIC.to_vec();
        wrong.push(11 << 3);
        assert_eq!(Speech::parse(&wrong).unwrap_err(), Malformed::FrameType { frame: 0, kind: 11 });
        assert_eq!(Speech::parse(MAGIC).unwrap().frames(), 0);
    }
}

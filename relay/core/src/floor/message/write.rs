//! From messages to datagrams.

use super::{ACKNOWLEDGE, Id, Message, NAME, Packet, TooLong, TrackInfo};
use crate::cursor::Writer;
use crate::floor::field::FieldWriter;
use crate::rtcp::{self, App, Subtype};

impl Packet<'_> {
    /// Writes the message to the start of `out` and says how many octets it took. A value too long for its length octet is
    /// refused, never cut; after an error `out` holds nothing of use.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, TooLong> {
        let kind = self.message.kind();
        let acknowledge = if self.acknowledge && kind.can_be_acknowledged() { ACKNOWLEDGE } else { 0 };
        let subtype = Subtype::try_from(kind.number() | acknowledge).map_err(|_| TooLong::Message)?;
        let mut writer = Writer::new(out);
        App { subtype, ssrc: self.ssrc, name: NAME, data: &[] }.write_header(&mut writer).ok_or(TooLong::Message)?;
        self.message.write(self.track_info, &mut FieldWriter(&mut writer))?;
        rtcp::close(&mut writer).ok_or(TooLong::Message)?;
        Ok(writer.written())
    }
}

impl Message<'_> {
    //= TS 24.380 §8.2  every message may carry Track Info between a controlling and a non-controlling function
    /// Fields go out by their number, but a Floor Granted starts with its duration.
    fn write(&self, track_info: Option<TrackInfo<'_>>, fields: &mut FieldWriter<'_, '_>) -> Result<(), TooLong> {
        match *self {
            Message::Request { priority, indicator, functional_alias, location } => {
                priority.map_or(Ok(()), |priority| fields.u8(Id::FloorPriority, priority))?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)?;
                fields.text(Id::FunctionalAlias, functional_alias)?;
                location.map_or(Ok(()), |location| fields.octets(Id::Location, location))
            }
            Message::Granted { duration_s, priority, indicator, audio_ssrc } => {
                fields.u16(Id::Duration, duration_s)?;
                fields.u8(Id::FloorPriority, priority)?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)?;
                fields.audio_ssrc(audio_ssrc)
            }
            Message::Taken {
                granted_party,
                may_request,
                message_sequence_number,
                indicator,
                audio_ssrc,
                functional_alias,
                location,
            } => {
                fields.text(Id::GrantedPartysIdentity, granted_party)?;
                may_request.map_or(Ok(()), |may| fields.u16(Id::PermissionToRequest, u16::from(may)))?;
                fields.u16(Id::MessageSequenceNumber, message_sequence_number)?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)?;
                fields.audio_ssrc(audio_ssrc)?;
                fields.text(Id::FunctionalAlias, functional_alias)?;
                location.map_or(Ok(()), |location| fields.octets(Id::Location, location))
            }
            Message::Deny { cause, phrase, indicator } | Message::Revoke { cause, phrase, indicator } => {
                fields.cause(cause, phrase)?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)
            }
            Message::Release { indicator } => {
                fields.track_info(track_info)?;
                fields.indicator(indicator)
            }
            Message::Idle { message_sequence_number, indicator } => {
                fields.u16(Id::MessageSequenceNumber, message_sequence_number)?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)
            }
            Message::RevokeRequest { user } => {
                fields.track_info(track_info)?;
                fields.text(Id::RevokeRequestUser, Some(user))
            }
            Message::QueuePositionRequest => fields.track_info(track_info),
            Message::QueuePositionInfo { position, priority, indicator } => {
                fields.u8_pair(Id::QueueInfo, position, priority)?;
                fields.track_info(track_info)?;
                fields.indicator(indicator)
            }
            Message::Ack { source, acknowledged } => {
                fields.u16(Id::Source, source.number())?;
                fields.track_info(track_info)?;
                fields.u8(Id::MessageType, acknowledged.number())
            }
        }
    }
}

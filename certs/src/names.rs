//! The names that certificates carry. The registry is the authority on ids; these only say whose key it is.

use vc_protocol::id::{AgentId, FarmId};
use vc_protocol::operator::Role;

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// The farm.
    pub(crate) farm: FarmId,
    /// As what it belongs to it.
    pub(crate) role: Role,
    /// Its place in the registry.
    pub(crate) id: AgentId,
}

/// What the console's certificate is always checked for, so that the console may change its address.
pub(crate) fn server(farm: FarmId) -> String {
    format!("{farm}.vc.internal")
}

/// The URI in a member's certificate.
pub(crate) fn member(member: Member) -> String {
    let Member { farm, role, id } = member;
    format!("vc://{farm}/{}/{id}", role.word())
}

/// The member of a URI that [`member`] made, of no other spelling.
pub(crate) fn parse_member(uri: &str) -> Option<Member> {
    let (farm, rest) = uri.strip_prefix("vc://")?.split_once('/')?;
    let (role, id) = rest.split_once('/')?;
    let found =
        Member { farm: parse_farm(farm)?, role: Role::from_word(role)?, id: AgentId(id.parse().ok()?) };
    (member(found) == uri).then_some(found)
}

/// The CA's name: farm and generation, because verifiers mix up two authorities of one name.
pub(crate) fn authority(farm: FarmId, generation: u32) -> String {
    format!("vc farm {farm} authority {generation}")
}

/// The farm of a name that [`authority`] made.
pub(crate) fn parse_authority(name: &str) -> Option<FarmId> {
    let (farm, generation) = name.strip_prefix("vc farm ")?.split_once(" authority ")?;
    generation.parse::<u32>().ok()?;
    parse_farm(farm)
}

fn parse_farm(hex: &str) -> Option<FarmId> {
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
    Some(FarmId(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_of_a_member_is_read() {
        let farm = FarmId([0xab; 16]);
        for role in Role::ALL {
            let known = Member { farm, role, id: AgentId(7) };
            assert_eq!(parse_member(&member(known)), Some(known));
        }
        let uri = member(Member { farm, role: Role::Agent, id: AgentId(7) });
        for bad in [
            uri.replace("agent", "root"),
            uri.replace("agent", "Agent"),
            uri.replace("agent/", ""),
            uri.replace("/7", "/07"),
            uri.replace("/7", "/+7"),
            uri.replace("/7", "/7/"),
            uri.replace("vc:", "VC:"),
            uri.replace("ab", "AB"),
            "vc:///agent/7".to_owned(),
        ] {
            assert_eq!(parse_member(&bad), None, "{bad}");
        }
        assert_eq!(parse_authority(&authority(farm, 2)), Some(farm));
    }
}

//! The names that certificates carry. The registry is the authority on ids; these only say whose key it is.

use vc_protocol::id::{AgentId, FarmId};

/// What the console's certificate is always checked for, so that the console may change its address.
pub(crate) fn server(farm: FarmId) -> String {
    format!("{farm}.vc.internal")
}

/// The URI in an agent's certificate.
pub(crate) fn agent(farm: FarmId, agent: AgentId) -> String {
    format!("vc://{farm}/agent/{agent}")
}

/// Farm and agent of a URI that [`agent`] made, of no other spelling and no other role.
pub(crate) fn parse_agent(uri: &str) -> Option<(FarmId, AgentId)> {
    let (farm, id) = uri.strip_prefix("vc://")?.split_once("/agent/")?;
    let farm = parse_farm(farm)?;
    let id = AgentId(id.parse().ok()?);
    (agent(farm, id) == uri).then_some((farm, id))
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
    fn only_our_own_spelling_of_an_agent_is_read() {
        let farm = FarmId([0xab; 16]);
        let uri = agent(farm, AgentId(7));
        assert_eq!(parse_agent(&uri), Some((farm, AgentId(7))));
        for bad in [
            uri.replace("agent", "operator"),
            uri.replace("/7", "/07"),
            uri.replace("/7", "/+7"),
            uri.replace("/7", "/7/"),
            uri.replace("vc:", "VC:"),
            uri.replace("ab", "AB"),
            "vc:///agent/7".to_owned(),
        ] {
            assert_eq!(parse_agent(&bad), None, "{bad}");
        }
        assert_eq!(parse_authority(&authority(farm, 2)), Some(farm));
    }
}

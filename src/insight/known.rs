//! Names well-known contracts of mainnet.

use alloy_primitives::Address;

/// Checksummed addresses (EIP-55) and names.
const CONTRACTS: [(&str, &str); 46] = [
    ("0x00000000219ab540356cBB839Cbe05303d7705Fa", "Beacon deposit"),
    ("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "WETH"),
    ("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC"),
    ("0xdAC17F958D2ee523a2206206994597C13D831ec7", "USDT"),
    ("0x6B175474E89094C44Da98b954EedeAC495271d0F", "DAI"),
    ("0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", "WBTC"),
    ("0x514910771AF9Ca656af840dff83E8264EcF986CA", "LINK"),
    ("0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE", "SHIB"),
    ("0x6982508145454Ce325dDbE47a25d4ec3d2311933", "PEPE"),
    ("0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84", "Lido stETH"),
    ("0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0", "Lido wstETH"),
    ("0x35D1b3F3D7966A1DFe207aa4514C12a259A0492B", "Maker Vat"),
    ("0x06450dEe7FD2Fb8E39061434BAbCFC05599a6Fb8", "XEN"),
    ("0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f", "Uniswap V2 factory"),
    ("0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D", "Uniswap V2 router"),
    ("0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc", "Uniswap V2 USDC-WETH"),
    ("0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852", "Uniswap V2 WETH-USDT"),
    ("0xE592427A0AEce92De3Edee1F18E0157C05861564", "Uniswap V3 router"),
    ("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45", "Uniswap router 02"),
    ("0xC36442b4a4522E871399CD717aBDD847Ab11FE88", "Uniswap V3 positions"),
    ("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640", "Uniswap V3 USDC-WETH 0.05%"),
    ("0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8", "Uniswap V3 USDC-WETH 0.3%"),
    ("0x11b815efB8f581194ae79006d24E0d814B7697F6", "Uniswap V3 WETH-USDT 0.05%"),
    ("0x3fC91A3afd70395Cd496C647d5a6CC9D4B2b7FAD", "Uniswap universal router"),
    ("0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af", "Uniswap V4 universal router"),
    ("0x000000000004444c5dc75cB358380D2e3dE08A90", "Uniswap V4 pools"),
    ("0x000000000022D473030F116dDEE9F6B43aC78BA3", "Permit2"),
    ("0xd9e1cE17f2641f24aE83637ab66a2cca9C378B9F", "SushiSwap router"),
    ("0x1111111254fb6c44bAC0beD2854e76F90643097d", "1inch v4"),
    ("0x1111111254EEB25477B68fb85Ed929f73A960582", "1inch v5"),
    ("0x111111125421cA6dc452d289314280a0f8842A65", "1inch v6"),
    ("0xDef1C0ded9bec7F1a1670819833240f027b25EfF", "0x exchange"),
    ("0xBA12222222228d8Ba445958a75a0704d566BF2C8", "Balancer vault"),
    ("0xbEbc44782C7dB0a1A60Cb6fe97d0b483032FF1C7", "Curve 3pool"),
    ("0x7d2768dE32b0b80b7a3454c06BdAc94A69DDc7A9", "Aave v2 pool"),
    ("0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2", "Aave v3 pool"),
    ("0x7Be8076f4EA4A4AD08075C2508e481d6C946D12b", "Wyvern v1"),
    ("0x7f268357A8c2552623316e2562D90e642bB538E5", "Wyvern v2"),
    ("0x00000000006c3852cbEf3e08E8dF289169EdE581", "Seaport 1.1"),
    ("0x00000000000000ADc04C56Bf30aC9d3c0aAF14dC", "Seaport 1.5"),
    ("0x0000000000000068F116a894984e2DB1123eB395", "Seaport 1.6"),
    ("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789", "EntryPoint 0.6"),
    ("0x0000000071727De22E5E9d8BAf0edAc6f37da032", "EntryPoint 0.7"),
    ("0x8d12A197cB00D4747a1fe03395095ce2A5CC6819", "EtherDelta"),
    ("0x06012c8cf97BEaD5deAe237070F9587f8E7A266d", "CryptoKitties"),
    ("0xb47e3cd837dDF8e4c57F05d70Ab865de6e193BBB", "CryptoPunks"),
];

/// The name of a well-known contract on the chain with this id; `None` for others.
pub fn well_known(chain_id: u64, address: Address) -> Option<&'static str> {
    const MAINNET: u64 = 1;
    if chain_id != MAINNET {
        return None;
    }
    let address = address.to_checksum(None);
    CONTRACTS.iter().find(|(known, _)| *known == address).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_address_has_a_valid_checksum_and_is_found() {
        for (text, name) in CONTRACTS {
            let address = Address::parse_checksummed(text, None);
            let address = address.unwrap_or_else(|error| panic!("{name} {text}: {error}"));
            assert_eq!(well_known(1, address), Some(name));
            assert_eq!(well_known(17_000, address), None);
        }
        let names: BTreeSet<_> = CONTRACTS.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), CONTRACTS.len());
    }
}

// Compiles contracts/*.sol with the pinned solc: interface, creation code and code of each contract.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Interface } from "ethers";

const solc = createRequire(import.meta.url)("solc");
const folder = new URL("contracts/", import.meta.url);

/** Contracts by name, each as `{ interface, creation, code }`, with code as 0x-hex. */
export function compile() {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
  const read = (name) => [name, { content: readFileSync(new URL(name, folder), "utf8") }];
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources: Object.fromEntries(names.map(read)),
        settings: {
          evmVersion: "prague",
          optimizer: { enabled: true, runs: 200 },
          metadata: { bytecodeHash: "none", appendCBOR: false },
          outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
        },
      }),
    ),
  );
  const errors = (output.errors ?? []).filter((error) => error.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  const contracts = Object.values(output.contracts).flatMap((file) => Object.entries(file));
  return Object.fromEntries(
    contracts.map(([name, { abi, evm }]) => [
      name,
      {
        interface: new Interface(abi),
        creation: "0x" + evm.bytecode.object,
        code: "0x" + evm.deployedBytecode.object,
      },
    ]),
  );
}

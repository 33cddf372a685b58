// Compiles the Solidity source on standard input; writes an object with the creation bytecode of each contract.
"use strict";
const fs = require("node:fs");

const solc = require("solc");

const input = {
  language: "Solidity",
  sources: { "tokens.sol": { content: fs.readFileSync(0, "utf8") } },
  settings: { outputSelection: { "*": { "*": ["evm.bytecode.object"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"));
const contracts = Object.entries(output.contracts["tokens.sol"]);
process.stdout.write(JSON.stringify(Object.fromEntries(contracts.map(([name, { evm }]) => [name, evm.bytecode.object]))));

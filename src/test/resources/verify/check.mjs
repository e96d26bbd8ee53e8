// Reads requests as JSON lines from stdin ({secret, headers, body: base64, now}) and prints "ok" or "refused" for each.
// What verifies them is the first argument: a file with verify(), or standardwebhooks or svix from the folder that the second names.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

async function verifier(which, folder) {
  if (which.endsWith('.mjs')) {
    const { verify } = await import(pathToFileURL(which))
    return (secret, headers, body, now) => verify(secret, headers, body, now)
  }
  const { Webhook } = createRequire(folder + '/package.json')(which)
  return (secret, headers, body) => new Webhook(secret).verify(body, headers)
}

const check = await verifier(process.argv[2], process.argv[3])
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body, now } = JSON.parse(line)
  try {
    check(secret, headers, Buffer.from(body, 'base64'), now)
    console.log('ok')
  } catch (refused) {
    console.log('refused')
  }
}

// Verifies a webhook of walroute (Standard Webhooks, v1) with nothing but Node's own crypto.
//
//   import { verify } from './verify.mjs'
//   const event = JSON.parse(verify(process.env.WEBHOOK_SECRET, request.headers, rawBody))
//
// rawBody is the Buffer as it was received: parsed and written again it has another signature.
import { createHmac, timingSafeEqual } from 'node:crypto'

const TOLERANCE_SECONDS = 5 * 60

/** Returns the body; throws if it wasn't signed with the secret, or not within five minutes. */
export function verify(secret, headers, rawBody, now = Date.now()) {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const signatures = headers['webhook-signature']
  if (!id || !/^\d{1,12}$/.test(timestamp ?? '') || !signatures) throw new Error('not a signed webhook')
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) throw new Error('too old, or too new')

  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(rawBody).digest()
  // While a secret is replaced there are several signatures: one that fits is enough.
  const fits = signatures.split(' ').some((signature) => {
    const [version, base64] = signature.split(',')
    const given = Buffer.from(base64 ?? '', 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!fits) throw new Error('no signature fits')
  return rawBody
}

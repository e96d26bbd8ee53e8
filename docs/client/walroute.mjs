// A client of walroute's WebSocket, for browsers and Node 22 or later, with nothing but the platform's own WebSocket.
//
//   import { subscribe } from './walroute.mjs'
//   const watch = subscribe('ws://127.0.0.1:3003/ws', {
//     topic: 'listings.price_changed',
//     filter: { seller_address: '0x…', price_wei: { gt: '100' } },
//     columns: ['id', 'price_wei'],
//     onEvent: (event, frame) => console.log(event.new, frame.position),
//     onGap: (reason) => reload(reason),
//   })
//
// Whenever the connection is lost it connects again and resumes after the last position that it got: nothing is missed and
// nothing comes twice; where the server can't give what came in between any more, it says so (onGap). Keep watch.position
// and give it as `since` to go on after a restart. Each subscription has a connection of its own.

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000
const PING_EVERY_MS = 20_000
const OPEN = 1

/**
 * @param {string} url
 * @param {object} options
 * @param {string} options.topic a topic, or the beginning of several and a *
 * @param {object} [options.filter] columns to values, or to {eq | neq | lt | lte | gt | gte | in | is_null: …}
 * @param {string[]} [options.columns] the columns to get; all if not given
 * @param {string} [options.since] a position: what came after it comes first
 * @param {string | (() => string | Promise<string>)} [options.token] a function is asked at each connection: when a token
 *     expires, the server ends the connection, and the next one goes on where it was
 * @param {(event: object, frame: object) => void} options.onEvent the frame has topic, position and context
 * @param {(reason: string) => void} [options.onGap] changes may be missing here: read the state anew
 * @param {(error: Error) => void} [options.onError] the server refuses the subscription, which then is over
 * @param {(state: 'connecting' | 'live' | 'waiting' | 'closed', why: string) => void} [options.onState]
 * @returns {{ close: () => void, readonly position: string | undefined }}
 */
export function subscribe(url, options) {
  const { topic, filter, columns, token, onEvent, onGap, onError, onState } = options
  let position = options.since
  let socket
  let failures = 0
  let closed = false
  let heard = true
  let retry
  let pinger

  const state = (name, why = '') => onState?.(name, why)

  async function open() {
    state('connecting')
    let mine
    try {
      const proof = typeof token === 'function' ? await token() : token
      if (closed) return
      // Browsers can't send headers: the token is offered as a subprotocol, which the server doesn't repeat.
      mine = proof === undefined ? new WebSocket(url) : new WebSocket(url, ['bearer', proof])
    } catch (error) {
      lost(socket, error.message)
      return
    }
    socket = mine
    mine.onopen = () => {
      heard = true
      pinger = setInterval(ping, PING_EVERY_MS)
      send({ type: 'subscribe', id: 's', topic, filter, columns, since: position })
    }
    mine.onmessage = (message) => {
      if (mine === socket && !closed) received(JSON.parse(message.data))
    }
    mine.onclose = ({ code, reason }) => lost(mine, `${code} ${reason}`)
    // Followed by a close event that tells more, but not in Node 20 where nobody listens at the address.
    mine.onerror = () => setTimeout(() => lost(mine, 'no connection'))
  }

  function received(frame) {
    heard = true
    switch (frame.type) {
      case 'event':
        // First: should onEvent throw, the event was handed over all the same.
        position = frame.position
        onEvent(frame.event, frame)
        break
      case 'subscribed':
        position = frame.position
        failures = 0
        state('live')
        break
      case 'pong':
        // Where a filter lets nothing through for long, this keeps the position within what the server still has.
        position = frame.position
        break
      case 'gap':
        onGap?.(frame.reason)
        break
      case 'error':
        if (frame.id === 's') end()
        onError?.(new Error(frame.message))
        break
    }
  }

  /** A connection that broke without a word is noticed only by its silence. */
  function ping() {
    if (!heard) {
      const silent = socket
      silent.close()
      lost(silent, 'no answer')
      return
    }
    heard = false
    send({ type: 'ping' })
  }

  function send(message) {
    if (socket.readyState === OPEN) socket.send(JSON.stringify(message))
  }

  function lost(which, why) {
    if (which !== socket || closed) return
    socket = undefined
    clearInterval(pinger)
    state('waiting', why)
    // By chance, or all clients of a server that restarts would be back at once.
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures++, 10))
    retry = setTimeout(open, longest * (0.5 + Math.random() / 2))
  }

  function end() {
    if (closed) return
    closed = true
    clearTimeout(retry)
    clearInterval(pinger)
    socket?.close(1000)
    state('closed')
  }

  open()
  return {
    close: end,
    get position() {
      return position
    },
  }
}

// Decodes a backlog by pg-logical-replication and counts it: node reader.mjs URL SLOT PUBLICATION CHANGES ACKNOWLEDGE WARM_UP
// Prints "DONE changes before seconds cpu-seconds": the time begins after the warm-up, of which are those before.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [url, slot, publication, wanted, acknowledge, warmUp] = process.argv.slice(2)
const { LogicalReplicationService, PgoutputPlugin } =
  createRequire(join(process.cwd(), 'package.json'))('pg-logical-replication')
const expected = Number(wanted)
let changes = 0
let before
let begin
let cpu

const service = new LogicalReplicationService(
  { connectionString: url },
  { acknowledge: { auto: acknowledge === 'true', timeoutSeconds: acknowledge === 'true' ? 10 : 0 } },
)
service.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
service.on('data', (lsn, message) => {
  if (message.tag !== 'insert' && message.tag !== 'update' && message.tag !== 'delete') return
  if (begin === undefined && changes >= Number(warmUp)) {
    before = changes
    begin = process.hrtime.bigint()
    cpu = process.cpuUsage()
  }
  if (++changes === expected) {
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9
    const used = process.cpuUsage(cpu)
    console.log(`DONE ${changes} ${before} ${seconds} ${(used.user + used.system) / 1e6}`)
    process.exit(0)
  }
})
await service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] }), slot)

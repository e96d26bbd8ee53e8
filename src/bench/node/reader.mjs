// Decodes a backlog by pg-logical-replication and counts it: node reader.mjs URL SLOT PUBLICATION CHANGES ACKNOWLEDGE
// Prints "DONE changes seconds cpu-seconds", from the first change to the last.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [url, slot, publication, wanted, acknowledge] = process.argv.slice(2)
const { LogicalReplicationService, PgoutputPlugin } =
  createRequire(join(process.cwd(), 'package.json'))('pg-logical-replication')
const expected = Number(wanted)
let changes = 0
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
  if (changes === 0) {
    begin = process.hrtime.bigint()
    cpu = process.cpuUsage()
  }
  if (++changes === expected) {
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9
    const used = process.cpuUsage(cpu)
    console.log(`DONE ${changes} ${seconds} ${(used.user + used.system) / 1e6}`)
    process.exit(0)
  }
})
await service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] }), slot)

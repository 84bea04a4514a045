import { formatGrants, GRANTEES, type Grantee } from '../../store/postgres/grants.js'
import { DEFAULT_SCHEMA } from '../../store/postgres/names.js'
import type { Command } from '../command.js'
import { print } from '../output.js'
import { printJson } from '../terminal.js'

export const grants: Command = {
  summary: 'print the SQL that gives a role of PostgreSQL what it needs',
  about: [
    'It connects to nothing. The owner of the tables runs the statements, once keys migrate has made them: pipe them into psql.',
    'Let the role that runs keys migrate own the database (ALTER DATABASE ... OWNER TO), or be a superuser. Otherwise commands and keyrings of an administrator, a reader and a receiver refuse its tables, which could be a forgery, unless their role is its member.',
    'service: verifies credentials. administrator: all commands but keys migrate, and the console. reader: the commands that change nothing. receiver: revokes the access tokens that events of an issuer name, and nothing else.',
  ],
  options: {
    role: { value: 'NAME', help: 'the role, which is there already (default vantage_ and the first word)' },
    schema: { value: 'NAME', help: 'the schema of the tables', default: DEFAULT_SCHEMA },
    json: { help: 'print JSON; an error is JSON too, on standard error' },
  },
  operand: { name: 'KIND', choices: GRANTEES },
  examples: ['vantage-auth keys grants service', 'vantage-auth keys grants reader --role auditor --schema auth'],
  async run(given) {
    const grantee = given.operand as Grantee
    const { role, schema } = {
      role: given.text('role') ?? `vantage_${grantee}`,
      schema: given.text('schema') ?? DEFAULT_SCHEMA,
    }
    const statements = formatGrants(grantee, { role, schema })
    if (given.is('json')) printJson({ role, schema, statements })
    else print(statements.map((statement) => `${statement}\n`).join(''))
  },
}

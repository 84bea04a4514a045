/**
 * SQL that fills the schema `traps` with everything that could stand in for a name of the server which our statements use:
 * functions whose arguments fit at least as well, operators and types. Each writes to `traps.caught` who ran into it.
 */
export function setTraps(): string {
  return `
    CREATE SCHEMA traps;
    GRANT ALL ON SCHEMA traps TO PUBLIC;
    CREATE TABLE traps.caught (role text, name text);
    GRANT ALL ON traps.caught TO PUBLIC;
    ${FUNCTIONS.map(([name, parameters, returns, value]) => trap(name, parameters, returns, value)).join('\n')}
    ${OPERATORS.map(([operator, name, left, right, returns, value]) => {
      const types = `pg_catalog.${left}, pg_catalog.${right}`
      return `${trap(name, types, `pg_catalog.${returns}`, value)}
        CREATE OPERATOR traps.${operator} (LEFTARG = pg_catalog.${left}, RIGHTARG = pg_catalog.${right}, FUNCTION = traps.${name});`
    }).join('\n')}
    ${TYPES.map(
      (type) => `${trap(`check_${type}`, `pg_catalog.${type}`, 'pg_catalog.bool', 'true')}
        CREATE DOMAIN traps.${type} AS pg_catalog.${type} CHECK (traps.check_${type}(VALUE));`,
    ).join('\n')}`
}

function trap(name: string, parameters: string, returns: string, value: string): string {
  return `CREATE FUNCTION traps.${name}(${parameters}) RETURNS ${returns} LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN
      INSERT INTO traps.caught VALUES (current_user, '${name}');
      RETURN ${value};
    END $$;`
}

const TEXTS = (count: number) => Array.from({ length: count }, () => 'pg_catalog.text').join(', ')

/** Name, parameters, what it returns, and the expression that it returns. */
const FUNCTIONS: readonly (readonly [string, string, string, string])[] = [
  ['json_build_object', TEXTS(10), 'pg_catalog.json', `'{}'`],
  ['json_strip_nulls', 'pg_catalog.json', 'pg_catalog.json', `'{}'`],
  ['quote_ident', 'pg_catalog.text', 'pg_catalog.text', `'traps'`],
  ['to_char', 'pg_catalog.timestamp, pg_catalog.text', 'pg_catalog.text', `'2026-11-25'`],
  ['to_char', 'pg_catalog.date, pg_catalog.text', 'pg_catalog.text', `'2026-11-25'`],
  ['now', '', 'pg_catalog.timestamptz', 'clock_timestamp()'],
  ['clock_timestamp', '', 'pg_catalog.timestamptz', `'2026-11-25'`],
  ['pg_notify', TEXTS(2), 'pg_catalog.void', ''],
  ['isfinite', 'pg_catalog.timestamptz', 'pg_catalog.bool', 'true'],
  ['round', 'pg_catalog.numeric', 'pg_catalog.numeric', '7'],
  ['round', 'pg_catalog.float8', 'pg_catalog.float8', '7'],
  ['extract', 'pg_catalog.text, pg_catalog.timestamptz', 'pg_catalog.numeric', '7'],
  ['date_part', 'pg_catalog.text, pg_catalog.timestamptz', 'pg_catalog.float8', '7'],
  ['unnest', 'pg_catalog.text[]', 'SETOF pg_catalog.text', ''],
  ['array_to_string', 'pg_catalog.name[], pg_catalog.text', 'pg_catalog.text', `''`],
  ['array_to_string', 'pg_catalog.text[], pg_catalog.text', 'pg_catalog.text', `''`],
  ['to_regclass', 'pg_catalog.text', 'pg_catalog.regclass', 'NULL'],
  ['to_regproc', 'pg_catalog.text', 'pg_catalog.regproc', 'NULL'],
  ['current_schema', '', 'pg_catalog.name', `'traps'`],
  ['num_nonnulls', TEXTS(3), 'pg_catalog.int4', '1'],
  [
    'concat_ws',
    `pg_catalog.text, pg_catalog.oid, pg_catalog.xid, pg_catalog.oid, pg_catalog.xid`,
    'pg_catalog.text',
    `''`,
  ],
  ['concat_ws', `pg_catalog.text, pg_catalog.int8, pg_catalog.int8`, 'pg_catalog.text', `''`],
  ['hashtextextended', 'pg_catalog.text, pg_catalog.int4', 'pg_catalog.int8', '7'],
  ['has_schema_privilege', 'pg_catalog.text, pg_catalog.oid, pg_catalog.text', 'pg_catalog.bool', 'false'],
]

/** Operator, its function, the types of its sides, what it returns, and the expression that it returns. */
const OPERATORS: readonly (readonly [string, string, string, string, string, string])[] = [
  ['=', 'text_eq', 'text', 'text', 'bool', 'true'],
  ['=', 'name_eq', 'name', 'name', 'bool', 'true'],
  ['=', 'name_text_eq', 'name', 'text', 'bool', 'true'],
  ['=', 'oid_eq', 'oid', 'oid', 'bool', 'true'],
  ['=', 'char_eq', '"char"', '"char"', 'bool', 'true'],
  ['=', 'int8_eq', 'int8', 'int8', 'bool', 'true'],
  ['>=', 'int8_ge', 'int8', 'int8', 'bool', 'true'],
  ['<', 'int8_lt', 'int8', 'int8', 'bool', 'true'],
  ['<', 'int8_int4_lt', 'int8', 'int4', 'bool', 'true'],
  ['+', 'int8_add', 'int8', 'int8', 'int8', '7'],
  ['*', 'numeric_mul', 'numeric', 'numeric', 'numeric', '7'],
  ['*', 'numeric_int_mul', 'numeric', 'int4', 'numeric', '7'],
  ['<', 'at_lt', 'timestamptz', 'timestamptz', 'bool', 'true'],
  ['<=', 'at_le', 'timestamptz', 'timestamptz', 'bool', 'true'],
  ['>', 'at_gt', 'timestamptz', 'timestamptz', 'bool', 'true'],
  ['>=', 'at_ge', 'timestamptz', 'timestamptz', 'bool', 'true'],
  ['>=', 'date_ge', 'date', 'date', 'bool', 'true'],
  ['-', 'at_sub', 'timestamptz', 'interval', 'timestamptz', 'now()'],
]

const TYPES = ['text', 'timestamptz', 'int8', 'date', 'oid', 'name']

'use strict';

const globals = require('@jest/globals');

/** Vitest's `expect(value, message)`; Jest refuses the message. */
const expect = Object.assign((value) => globals.expect(value), globals.expect);

module.exports = { ...globals, expect, vi: globals.jest };

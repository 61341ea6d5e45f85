'use strict';

module.exports = require('./dist/node/client/index.js');

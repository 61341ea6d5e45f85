import { Module } from '@nestjs/common';
import { TurboCacheTransactionsModule } from 'turbocache-js/transactions';
import { Database, JOURNAL } from '../database';
import { databaseTransactions } from './database-transactions';
import { FavouritesController, HasRoom } from './favourites.controller';
import { FavouritesService } from './favourites.service';

@Module({
  imports: [
    TurboCacheTransactionsModule.forRootAsync({
      inject: [Database, JOURNAL],
      // A process that dies between a commit and its evictions leaves them in the table, and another one makes them.
      useFactory: (database: Database, journal: Database) => ({
        source: databaseTransactions(database, journal),
        journal: {},
      }),
    }),
  ],
  controllers: [FavouritesController],
  providers: [FavouritesService, HasRoom],
})
export class FavouritesModule {}

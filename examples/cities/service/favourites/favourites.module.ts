import { Module } from '@nestjs/common';
import { TurboCacheTransactionsModule } from 'turbocache-js/transactions';
import { Database } from '../database';
import { databaseTransactions } from './database-transactions';
import { FavouritesController, HasRoom } from './favourites.controller';
import { FavouritesService } from './favourites.service';

@Module({
  imports: [
    TurboCacheTransactionsModule.forRootAsync({
      inject: [Database],
      useFactory: (database: Database) => ({ source: databaseTransactions(database) }),
    }),
  ],
  controllers: [FavouritesController],
  providers: [FavouritesService, HasRoom],
})
export class FavouritesModule {}

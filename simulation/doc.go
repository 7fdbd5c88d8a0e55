// Package simulation has tests alone: all of blobdock in one process, on a bucket in memory that
// imitates each kind of store, in a time of its own (testing/synctest), from a seed.
//
// Clients of several kinds talk HTTP to replicas of the registry, which is distribution's
// application with blobdock in it. A sweeper, collectors, retention, repairs and copies to another bucket run
// meanwhile, each as processes of their own. Calls of the store fail, lose their replies, and take
// hours; processes are killed at any call, and come back, some of them as a version that writes
// another format of uploads' states; the store's clock is off, and jumps.
//
//	go test ./simulation                              1,000 seeds
//	make simulate                                     100,000 seeds
//	go test ./simulation -sim.store=gcs -sim.seed=7   one seed, with its whole history where it fails
package simulation

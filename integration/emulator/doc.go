// Package emulator finds or starts the object stores that tests talk to.
//
// A store comes from the first of these that works:
//
//  1. the environment: BLOBDOCK_S3_ENDPOINT names a server that already runs;
//  2. Docker, if an engine answers, through testcontainers-go; the image is
//     built on the spot from a static binary, so no image registry is needed;
//  3. a native process, from a binary built from the store's pinned Go module.
//
// Azure's place is taken by Azurite, from BLOBDOCK_AZURE_ENDPOINT, an image or a
// process ([StartAzure]). Both of the latter need Node.js 20 or newer with npm,
// which installs Azurite from a committed lock file. On linux the image is made of
// that very installation and of this machine's Node.js; elsewhere it starts from
// an image of Node.js, which comes from an image registry.
//
// Google Cloud Storage's is taken by fake-gcs-server, from BLOBDOCK_GCS_ENDPOINT,
// an image or a process ([StartGCS]), built like MinIO from a pinned Go module.
//
// BLOBDOCK_EMULATOR=docker or BLOBDOCK_EMULATOR=native forces a way. When no
// way works the test fails and says what to do; it is never skipped.
//
// A test package shares one server:
//
//	func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }
//
//	func TestPush(t *testing.T) {
//		s3 := emulator.Start(t)
//		bucket := s3.NewBucket(t)
//		...
//	}
//
// A test that stops its server takes one to itself with [NewMinIO].
//
// [NewStore] starts S3 servers of other makers: gofakes3, versitygw, rclone and
// SeaweedFS from pinned Go modules, OpenStack Swift and Ceph's RADOS gateway from
// the packages of Debian 12, which apt-get downloads as root and which are unpacked
// into the cache.
//
// The first start builds the binary, which takes minutes; `go run
// ./integration/emulator/provision` does it ahead, outside the time limit of
// go test.
package emulator

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "loader.h"

// zlib's window bits for a gzip stream (RFC 1952), whose checksum it then verifies.
#define GZIP_WINDOW_BITS (15 + 16)

static unsigned char input[64 * 1024];
static unsigned char output_buffer[256 * 1024];

static int write_all(int descriptor, const unsigned char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(descriptor, bytes, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    bytes += written;
    count -= (size_t)written;
  }
  return 0;
}

// Inflates what `stream` has as input. Sets `ended` at the end of the gzip stream.
static int inflate_some(z_stream *stream, int output, int *ended, const char *piece) {
  while (stream->avail_in > 0) {
    if (*ended) {
      complain(0, "%s: something follows the agent's end", piece);
      return LOADER_PAYLOAD;
    }
    stream->next_out = output_buffer;
    stream->avail_out = sizeof output_buffer;
    int status = inflate(stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END) {
      complain(0, "%s is damaged: %s", piece, stream->msg ? stream->msg : zError(status));
      return LOADER_PAYLOAD;
    }
    if (write_all(output, output_buffer, sizeof output_buffer - stream->avail_out) != 0) return LOADER_PLACE;
    if (status == Z_STREAM_END) *ended = 1;
  }
  return 0;
}

static int inflate_piece(z_stream *stream, int piece, int output, int *ended, const char *name) {
  for (;;) {
    ssize_t count = read(piece, input, sizeof input);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      complain(errno, "cannot read %s", name);
      return LOADER_PAYLOAD;
    }
    if (count == 0) return 0;
    stream->next_in = input;
    stream->avail_in = (unsigned)count;
    int status = inflate_some(stream, output, ended, name);
    if (status != 0) return status;
  }
}

int inflate_pieces(const char *directory, int output) {
  z_stream stream = {0};
  if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK) {
    complain(ENOMEM, "cannot inflate");
    return LOADER_PAYLOAD;
  }
  int status = 0;
  int ended = 0;
  for (int number = 0; status == 0 && !ended; number++) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/agent.gz.%03d", directory, number);
    int piece = open(name, O_RDONLY | O_CLOEXEC);
    if (piece < 0) {
      complain(errno, number == 0 ? "there is no agent: %s" : "the agent is not complete: %s", name);
      status = LOADER_PAYLOAD;
      break;
    }
    status = inflate_piece(&stream, piece, output, &ended, name);
    int error = errno;
    close(piece);
    errno = error;
  }
  int error = errno;
  inflateEnd(&stream);
  errno = error;
  return status;
}

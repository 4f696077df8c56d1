#define _GNU_SOURCE
#include "devrun_record.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The form: the magic, then each part of `struct devrun_launch` in a fixed order. Numbers are 64 bits in the machine's own
// order; a string is its length and its bytes with the zero at their end; a list is its length and its parts; what may be
// NULL is a list of none or one. The helper and devrun are of one build, which the magic tells.

static const uint64_t magic = 0x6465767275000002;

/// The largest record that is read: what the kernel takes for arguments and environment (6 MiB), twice.
static const off_t most = 12 << 20;

// MARK: - Writing

/// Bytes as they are put together; without `bytes` they are only counted.
struct writer {
  unsigned char *bytes;
  size_t size;
};

static void put(struct writer *writer, const void *data, size_t size) {
  if (writer->bytes != NULL) memcpy(writer->bytes + writer->size, data, size);
  writer->size += size;
}

static void put_number(struct writer *writer, uint64_t number) { put(writer, &number, sizeof number); }

static void put_string(struct writer *writer, const char *string) {
  put_number(writer, strlen(string));
  put(writer, string, strlen(string) + 1);
}

static void put_optional(struct writer *writer, const char *string) {
  put_number(writer, string != NULL);
  if (string != NULL) put_string(writer, string);
}

static void put_strings(struct writer *writer, char *const *strings) {
  size_t count = 0;
  while (strings[count] != NULL) count++;
  put_number(writer, count);
  for (size_t i = 0; i < count; i++) put_string(writer, strings[i]);
}

static void put_launch(struct writer *writer, const struct devrun_launch *launch) {
  put_number(writer, magic);
  put_optional(writer, launch->path);
  put_strings(writer, launch->arguments);
  put_strings(writer, launch->environment);
  put_strings(writer, launch->shell_arguments);
  put_number(writer, (uint64_t)launch->front);
  put_number(writer, launch->step_count);
  for (size_t i = 0; i < launch->step_count; i++) {
    put_number(writer, launch->steps[i].kind);
    put_string(writer, launch->steps[i].source);
    put_string(writer, launch->steps[i].target);
    put_number(writer, launch->steps[i].mode);
  }
  put_optional(writer, launch->working_directory);
  put_number(writer, launch->filter == NULL ? 0 : launch->filter_count);
  if (launch->filter != NULL) put(writer, launch->filter, launch->filter_count * sizeof launch->filter[0]);
  put_number(writer, launch->filter_flags);
  put_number(writer, (uint64_t)launch->listener_socket);
  put_number(writer, (uint64_t)launch->gate);
  put_number(writer, launch->descriptor_count);
  for (size_t i = 0; i < launch->descriptor_count; i++) put_number(writer, (uint64_t)launch->descriptors[i]);
  put(writer, &launch->ignored, sizeof launch->ignored);
  put(writer, &launch->mask, sizeof launch->mask);
  put_number(writer, launch->descriptor_limit.rlim_cur);
  put_number(writer, launch->descriptor_limit.rlim_max);
}

static int write_all(int file, const unsigned char *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t count = pwrite(file, bytes + done, size - done, (off_t)done);
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0) done += (size_t)count;
  }
  return 0;
}

int devrun_write_record(const struct devrun_launch *launch) {
  struct writer writer = {0};
  put_launch(&writer, launch);
  writer.bytes = malloc(writer.size);
  if (writer.bytes == NULL) return -ENOMEM;
  writer.size = 0;
  put_launch(&writer, launch);
  int file = memfd_create("devrun-launch", MFD_CLOEXEC);
  int result = file < 0 ? -errno : write_all(file, writer.bytes, writer.size);
  free(writer.bytes);
  if (result == 0) return file;
  if (file >= 0) close(file);
  return result;
}

// MARK: - Reading

/// What is left to be read; once something was wrong, nothing is.
struct reader {
  const unsigned char *at;
  size_t left;
  bool failed;
};

static const void *take(struct reader *reader, size_t size) {
  if (reader->failed || size > reader->left) {
    reader->failed = true;
    return NULL;
  }
  const void *data = reader->at;
  reader->at += size;
  reader->left -= size;
  return data;
}

static void take_into(struct reader *reader, void *out, size_t size) {
  const void *data = take(reader, size);
  if (data != NULL) memcpy(out, data, size);
}

static uint64_t take_number(struct reader *reader) {
  uint64_t number = 0;
  take_into(reader, &number, sizeof number);
  return number;
}

/// A count of parts that have at least so many bytes each.
static size_t take_count(struct reader *reader, size_t least) {
  uint64_t count = take_number(reader);
  if (count > reader->left / least) reader->failed = true;
  return reader->failed ? 0 : (size_t)count;
}

/// A string that ends where its length says.
static const char *take_string(struct reader *reader) {
  uint64_t length = take_number(reader);
  if (length >= reader->left) reader->failed = true;
  const char *string = reader->failed ? NULL : take(reader, (size_t)length + 1);
  if (string != NULL && (string[length] != 0 || strlen(string) != length)) reader->failed = true;
  return reader->failed ? NULL : string;
}

static const char *take_optional(struct reader *reader) {
  switch (take_number(reader)) {
  case 0: return NULL;
  case 1: return take_string(reader);
  default: reader->failed = true; return NULL;
  }
}

/// Memory for a list and its end.
static void *list(struct reader *reader, size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (memory == NULL) reader->failed = true;
  return memory;
}

static char *const *take_strings(struct reader *reader) {
  size_t count = take_count(reader, sizeof(uint64_t));
  const char **strings = list(reader, count, sizeof *strings);
  for (size_t i = 0; i < count && !reader->failed; i++) strings[i] = take_string(reader);
  return (char *const *)strings;
}

static const struct devrun_mount_step *take_steps(struct reader *reader, size_t *count) {
  *count = take_count(reader, 4 * sizeof(uint64_t));
  struct devrun_mount_step *steps = list(reader, *count, sizeof *steps);
  for (size_t i = 0; i < *count && !reader->failed; i++) {
    uint64_t kind = take_number(reader);
    if (kind > DEVRUN_MOUNT_MAKE_READ_ONLY) reader->failed = true;
    steps[i].kind = (enum devrun_mount_kind)kind;
    steps[i].source = take_string(reader);
    steps[i].target = take_string(reader);
    steps[i].mode = (mode_t)take_number(reader) & 07777;
  }
  return steps;
}

/// The filter, in memory of its own since the record's is not aligned. None of more instructions than the kernel takes.
static const struct sock_filter *take_filter(struct reader *reader, size_t *count) {
  *count = take_count(reader, sizeof(struct sock_filter));
  if (*count > BPF_MAXINSNS) reader->failed = true;
  if (reader->failed || *count == 0) return NULL;
  struct sock_filter *filter = list(reader, *count, sizeof *filter);
  if (filter != NULL) take_into(reader, filter, *count * sizeof *filter);
  return filter;
}

static const int *take_descriptors(struct reader *reader, size_t *count) {
  *count = take_count(reader, sizeof(uint64_t));
  int *descriptors = list(reader, *count, sizeof *descriptors);
  for (size_t i = 0; i < *count && !reader->failed; i++) {
    descriptors[i] = (int)take_number(reader);
    if (descriptors[i] < 0 || (i > 0 && descriptors[i] <= descriptors[i - 1])) reader->failed = true;
  }
  return descriptors;
}

static int read_all(int descriptor, unsigned char **bytes, size_t *size) {
  struct stat status;
  if (fstat(descriptor, &status)) return -errno;
  if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > most) return -EPROTO;
  *size = (size_t)status.st_size;
  *bytes = malloc(*size);
  if (*bytes == NULL) return -ENOMEM;
  for (size_t done = 0; done < *size;) {
    ssize_t count = pread(descriptor, *bytes + done, *size - done, (off_t)done);
    if (count < 0 && errno != EINTR) return -errno;
    if (count == 0) return -EPROTO;
    if (count > 0) done += (size_t)count;
  }
  return 0;
}

int devrun_read_record(int descriptor, struct devrun_launch *out) {
  unsigned char *bytes = NULL;
  struct reader reader = {0};
  int result = read_all(descriptor, &bytes, &reader.left);
  if (result < 0) return result;
  reader.at = bytes;
  *out = (struct devrun_launch){0};
  if (take_number(&reader) != magic) return -EPROTO;
  out->path = take_optional(&reader);
  out->arguments = take_strings(&reader);
  out->environment = take_strings(&reader);
  out->shell_arguments = take_strings(&reader);
  out->front = (pid_t)take_number(&reader);
  out->steps = take_steps(&reader, &out->step_count);
  out->working_directory = take_optional(&reader);
  out->filter = take_filter(&reader, &out->filter_count);
  out->filter_flags = (unsigned)take_number(&reader);
  out->listener_socket = (int)take_number(&reader);
  out->gate = (int)take_number(&reader);
  out->gate_writer = -1;
  out->descriptors = take_descriptors(&reader, &out->descriptor_count);
  take_into(&reader, &out->ignored, sizeof out->ignored);
  take_into(&reader, &out->mask, sizeof out->mask);
  out->descriptor_limit.rlim_cur = take_number(&reader);
  out->descriptor_limit.rlim_max = take_number(&reader);
  return reader.failed || reader.left > 0 ? -EPROTO : 0;
}

// Answers each DNS question that comes to port 53 of an address: A with that address, all others with no record.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

// Returns the end of the question behind the header, or 0 if the message is too short.
static int question_end(const unsigned char *message, int size)
{
	int place = 12;

	while (place < size && message[place])
		place += 1 + message[place];
	place += 5;
	return place <= size ? place : 0;
}

int main(int count, char **arguments)
{
	const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(53) }, client;
	unsigned char message[512];
	int server = socket(AF_INET, SOCK_DGRAM, 0);

	if (count != 2 || inet_pton(AF_INET, arguments[1], &own.sin_addr) != 1)
		return 2;
	if (bind(server, (struct sockaddr *)&own, sizeof(own))) {
		perror("bind");
		return 1;
	}
	for (;;) {
		socklen_t length = sizeof(client);
		int size = recvfrom(server, message, 400, 0, (struct sockaddr *)&client, &length);
		int end = size < 12 ? 0 : question_end(message, size);

		if (!end)
			continue;
		int has_address = message[end - 4] == 0 && message[end - 3] == 1;

		message[2] |= 0x80;
		message[3] = 0x80;
		memset(message + 6, 0, 6);
		message[7] = has_address;
		if (has_address) {
			memcpy(message + end, record, sizeof(record));
			memcpy(message + end + sizeof(record), &own.sin_addr, sizeof(own.sin_addr));
			end += sizeof(record) + sizeof(own.sin_addr);
		}
		sendto(server, message, end, 0, (struct sockaddr *)&client, length);
	}
}
